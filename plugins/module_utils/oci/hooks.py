# SPDX-License-Identifier: BSD-2-Clause
"""The programs that config.json wants run at points of a container's life, each with the state as JSON on its standard input.

Not here: at which points (create.py, child.py, verbs.py).
"""
from __future__ import annotations

import errno
import json
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Hook

_EARLY = ("prestart", "createRuntime", "createContainer", "startContainer")
_PIECE = 1 << 16
_KEPT = 2000        # characters of what a hook that fails has said
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)     # by the interpreter


def need_process(hooks: t.Mapping[str, t.Sequence[Hook]]) -> bool:
    """Whether there is one that runs before the container is created, or in it: which are told its process."""
    return not hooks.keys().isdisjoint(_EARLY)


def run(hooks: t.Mapping[str, t.Sequence[Hook]], stage: str, state: t.Mapping[str, t.Any]) -> None:
    """In their order, up to the first that fails. Raises CockerError with what it said."""
    for place, hook in enumerate(hooks.get(stage, ())):
        reason = _run(hook, json.dumps(state).encode())
        if reason:
            raise CockerError("error running %s hook #%d" % (stage, place), "", reason)


def warn(hooks: t.Mapping[str, t.Sequence[Hook]], stage: str, state: t.Mapping[str, t.Any], say: t.Callable[[str], None]) -> None:
    """All of them: one that fails is said, and changes nothing."""
    for hook in hooks.get(stage, ()):
        try:
            run({stage: (hook,)}, stage, state)
        except CockerError as error:
            say(str(error))


def _run(hook: Hook, text: bytes) -> str:
    """Empty when it ended well."""
    given, feed = os.pipe()
    heard, told = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, given, 0), (os.POSIX_SPAWN_DUP2, told, 1), (os.POSIX_SPAWN_DUP2, told, 2)]
    env = dict(word.partition("=")[::2] for word in hook.env)
    try:
        pid = os.posix_spawn(hook.path, hook.args, env, file_actions=actions, setsigdef=_IGNORED, setsigmask=())
    except OSError as error:
        os.close(feed)
        os.close(heard)
        return "%s: %s" % (hook.path, os.strerror(error.errno or errno.EIO))
    finally:
        os.close(given)
        os.close(told)
    deadline = None if hook.timeout is None else time.monotonic() + hook.timeout
    said, in_time = _converse(feed, heard, text, deadline)
    status = _ended(pid, deadline) if in_time else None
    if status is None:
        os.kill(pid, signal.SIGKILL)        # our child, not waited for: the number is still its
        os.waitpid(pid, 0)
        return "%s: it did not end within %d s" % (hook.path, hook.timeout or 0)
    code = os.waitstatus_to_exitcode(status)
    how = "exit status %d" % code if code >= 0 else "killed by signal %d" % -code
    return "%s: %s, output: %s" % (hook.path, how, said[-_KEPT:].decode("utf-8", "replace").strip()) if code else ""


def _converse(feed: int, heard: int, text: bytes, deadline: t.Optional[float]) -> t.Tuple[bytes, bool]:
    """What it says until it has closed its output; False when the time is up. A hook need not read its input."""
    said, poller, rest = b"", select.poll(), memoryview(text)
    os.set_blocking(feed, False)
    poller.register(feed, select.POLLOUT)
    poller.register(heard, select.POLLIN)
    try:
        while True:
            ready = poller.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                return said, False
            for fd, _events in ready:
                if fd == heard:
                    piece = os.read(heard, _PIECE)
                    if not piece:
                        return said, True
                    said = (said + piece)[-_PIECE:]
                    continue
                with tolerate(errno.EAGAIN):
                    rest = _feed(feed, rest)
                if not rest:
                    poller.unregister(feed)
                    os.close(feed)
                    feed = -1
    finally:
        os.close(heard)
        if feed >= 0:
            os.close(feed)


def _feed(fd: int, rest: memoryview) -> memoryview:
    try:
        return rest[os.write(fd, rest):]
    except BrokenPipeError:
        return rest[:0]


def _ended(pid: int, deadline: t.Optional[float]) -> t.Optional[int]:
    """Its wait status; None when the time is up."""
    while deadline is not None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.005)
    return os.waitpid(pid, 0)[1]

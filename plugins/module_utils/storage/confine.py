# SPDX-License-Identifier: BSD-2-Clause
"""Runs a piece of work on untrusted input in a child process that sees one directory and can only answer with JSON.

Not here: the work.
"""
from __future__ import annotations

import gc
import json
import os
import signal
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll, process
from ansible_collections.cocker.engine.plugins.module_utils.model import errors

_KINDS: t.Dict[str, t.Type[errors.CockerError]] = {
    kind.__name__: kind for kind in (errors.CockerError, errors.Conflict, errors.Damaged, errors.Unsupported)
}
_LONGEST_ANSWER = 1 << 20


class Child:
    """A started piece of work; `result()` once, or the process is killed at the end of the `with`."""

    def __init__(self, work: t.Callable[[], t.Any], directory: str, *, op: str, closing: t.Sequence[int] = ()) -> None:
        """`closing` are descriptors that the work must not have: the end of a pipe that others read from, say."""
        self._op = op
        self._reader, writer = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            for fd in closing:
                os.close(fd)
            _run(work, directory, writer, parent)
        os.close(writer)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)      # our own child, not waited for yet: the number is still its
            self._wait()

    def _wait(self) -> int:
        status = os.waitpid(self._pid, 0)[1]
        self._pid = 0
        os.close(self._reader)
        return status

    def is_ready(self, timeout: float) -> bool:
        """Whether result() would not have to wait, after at most so many seconds."""
        return poll.wait_readable(self._reader, timeout)

    def result(self) -> t.Any:
        """What the work returned, or the error that it raised."""
        answer = b""
        chunk = os.read(self._reader, _LONGEST_ANSWER)
        while chunk and len(answer) < _LONGEST_ANSWER:
            answer += chunk
            chunk = os.read(self._reader, _LONGEST_ANSWER)
        status = self._wait()
        if not answer:
            reason = "it was killed by signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "it ended without a word"
            raise errors.CockerError(self._op, "", reason)
        value = json.loads(answer)
        if "error" in value:
            kind, op, subject, reason, hint = value["error"]
            raise _KINDS.get(kind, errors.CockerError)(op, subject, reason, hint=hint)
        return value["result"]


def _run(work: t.Callable[[], t.Any], directory: str, writer: int, parent: int) -> t.NoReturn:
    """In the child. Nothing may be imported from here on: the files below are not the host's."""
    code = 1
    try:
        gc.disable()
        process.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() == parent:
            if os.geteuid() == 0:
                os.chroot(directory)
                directory = "/"
            os.chdir(directory)
            sys.path.clear()
            sys.meta_path.clear()
            sys.path_hooks.clear()
            _answer(work, writer)
            code = 0
    finally:
        os._exit(code)


def _answer(work: t.Callable[[], t.Any], writer: int) -> None:
    value: t.Dict[str, t.Any]
    try:
        value = {"result": work()}
    except errors.CockerError as error:
        value = {"error": [type(error).__name__, error.op, error.subject, error.reason, error.hint]}
    except (OSError, ValueError, MemoryError, RecursionError) as error:
        value = {"error": ["CockerError", "work on", "archive", str(error) or type(error).__name__, ""]}
    text = json.dumps(value).encode("ascii")
    while text:
        text = text[os.write(writer, text):]

# SPDX-License-Identifier: BSD-2-Clause
"""Asking a container's supervisor for something: one message of JSON and descriptors each way, over a socket in its run directory.

Not here: what can be asked, and who answers (init/control.py).
"""
from __future__ import annotations

import _socket
import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, mounts, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Conflict,
    Damaged,
    Invalid,
    NotFound,
    StartFailed,
    Unsupported,
    tolerate,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime.state import ENGINE, SOCKET

LARGEST = 1 << 16       # bytes of a message
MOST_FDS = 8
_BACKLOG = 16
_GONE = (errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ENOTSOCK, errno.EPROTOTYPE)

Words = t.Dict[str, t.Any]
KINDS: t.Dict[str, t.Type[CockerError]] = {
    kind.__name__: kind for kind in (CockerError, Conflict, Damaged, NotFound, StartFailed, Unsupported)
}


def listen(state_dir: str) -> _socket.socket:
    """In the directory, which is root's alone. Whatever a dead supervisor left there is replaced."""
    channel = _new()
    try:
        with _held(state_dir) as place:
            with tolerate(errno.ENOENT):
                os.unlink(SOCKET, dir_fd=place.fd)
            channel.bind(place.path)
            os.chmod(SOCKET, 0o600, dir_fd=place.fd)
        channel.listen(_BACKLOG)
        channel.setblocking(False)
    except BaseException:
        channel.close()
        raise
    return channel


def publish(state_dir: str, key: str) -> None:
    """From now on the supervisor is found by whoever wants a launcher of this engine."""
    path = os.path.join(state_dir, ENGINE)
    with tolerate(errno.ENOENT):
        os.unlink(path)
    os.symlink(key, path)


def publishers(folder: str, key: str) -> t.Iterator[str]:
    """Run directories below `folder` of supervisors that have this key; always in the same order."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        if publishes(os.path.join(folder, name), key):
            yield os.path.join(folder, name)


def publishes(state_dir: str, key: str) -> bool:
    try:
        return os.readlink(os.path.join(state_dir, ENGINE)) == key
    except OSError:
        return False


def ask(state_dir: str, words: Words, *, give: t.Sequence[int] = (), timeout: float) -> t.Tuple[Words, t.List[int]]:
    """The answer and its descriptors. Raises NotFound where no supervisor answers, and what the supervisor says."""
    channel = _new()
    try:
        channel.setblocking(False)
        with _held(state_dir) as place:
            channel.connect(place.path)
        fds.send_fds(channel, json.dumps(words).encode(), give)
        if not poll.wait_readable(channel.fileno(), timeout):
            raise NotFound("ask supervisor", state_dir, "no answer within %g s" % timeout)
        data, got = fds.recv_fds(channel, LARGEST, MOST_FDS)
    except OSError as error:
        if error.errno not in (*_GONE, errno.EAGAIN, errno.EMSGSIZE):
            raise
        raise NotFound("ask supervisor", state_dir, os.strerror(error.errno or errno.EIO)) from error
    finally:
        channel.close()
    if not data:
        raise NotFound("ask supervisor", state_dir, "it ended meanwhile")
    return raised(json.loads(data)), got


def raised(answer: Words) -> Words:
    """The answer, unless it is an error."""
    kind = KINDS.get(str(answer.get("kind", "")))
    if kind is not None:
        raise kind(answer["op"], answer["subject"], answer["reason"], hint=answer["hint"])
    return answer


def described(error: CockerError) -> Words:
    """What `raised` raises again at the other end."""
    kind = StartFailed if isinstance(error, Invalid) else type(error)
    name = kind.__name__ if kind.__name__ in KINDS else CockerError.__name__
    return {"kind": name, "op": error.op, "subject": error.subject, "reason": error.reason, "hint": error.hint}


def _new() -> _socket.socket:
    """A message is received whole or not at all."""
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)


class _held:
    """The directory, open, and the socket's path through it: the directory's own may be longer than an address can be."""

    def __init__(self, state_dir: str) -> None:
        self.fd = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.path = mounts.path_of(self.fd) + "/" + SOCKET

    def __enter__(self) -> _held:
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self.fd)

# SPDX-License-Identifier: BSD-2-Clause
"""The hop of the connection plugin: a command in a container that runs is asked of its supervisor, before anything else is loaded.

To load the engine, or only typing and json, takes longer than the command. What is not as usual goes the long way (hop.py), and nothing has
been done before. Not here: how the command is run (runtime/visit.py).
"""
from __future__ import annotations

import _socket
import marshal
import os
import sys

from ansible_collections.cocker.engine.plugins.module_utils.runtime import exchange

TYPE_CHECKING = False       # as in typing
if TYPE_CHECKING:
    import typing as t

    Request = t.Mapping[str, t.Any]

FAILED = 255            # as ssh says that it was not the command
KNOWN = "known"         # in the copy: what it was installed for marshalled
_CHUNK = 1 << 20
_SOCKET = "control"     # runtime/state.py
_PATIENCE = 2.0         # seconds for a supervisor to fork
_TAIL = 2000            # bytes


def main(request: Request) -> bytes:
    """Ends with the command's code. Where something is not as usual it returns what came on standard input, for hop.main to go on."""
    content = b"".join(iter(_piece, b"")) if request["stdin"] else b""
    code = _asked(request, content) if request["verb"] == "exec" else None
    if code is not None:
        os._exit(code)
    return content


def _piece() -> bytes:
    return os.read(0, _CHUNK)


def tools(engines: str, python: str) -> str:
    """Where programs are, or will be, that are lent to commands."""
    facts = os.stat(python)
    return os.path.join(engines, "tools-2-%s-%d-%d" % (os.path.basename(python), facts.st_size, facts.st_mtime_ns))


def note(engine: str, *, containers: str, runs: str, key: str) -> bytes:
    """The content of KNOWN."""
    return marshal.dumps((engine, containers, runs, key, exchange.likeness(engine, os.path.realpath(sys.executable))))


def installed() -> t.Sequence[str]:
    """The engine that launchers run from, the store's containers, their run directories, the key of the engine, and what has that key."""
    with open(os.path.join(sys.path[0], KNOWN), "rb") as stream:
        found: t.Sequence[str] = marshal.loads(stream.read())
    return found


def _asked(request: Request, content: bytes) -> t.Optional[int]:
    """The command's code; None where nothing was done, since something is not as usual."""
    name, python = request["container"], os.path.realpath(sys.executable)
    engine, containers, runs, key, likeness = installed()
    if request.get("image") or "/" in name or likeness != exchange.likeness(engine, python):
        return None
    engines = os.path.dirname(engine)
    lent = tools(engines, python)
    head = marshal.dumps({
        "bundle": os.path.join(containers, name), "state_dir": os.path.join(runs, name), "args": request["args"], "env": request["env"],
        "cwd": request["cwd"], "user": request["user"], "lend": request["tools"], "tools": lent if os.path.isdir(lent) else "",
        "seccomp_cache": os.path.join(engines, "seccomp"),
    })
    pipes = _forked(os.path.join(runs, name), key)
    return _done(pipes, b"%10d" % len(head) + head + content) if pipes else None


def _forked(state_dir: str, key: str) -> t.Sequence[int]:
    """Our ends of the pipes of a process that the supervisor has forked; none where it has not."""
    pairs = [os.pipe() for _number in range(4)]
    theirs = [pair[index > 0] for index, pair in enumerate(pairs)]
    ours = [pair[index == 0] for index, pair in enumerate(pairs)]
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        channel.settimeout(_PATIENCE)
        os.chdir(state_dir)         # its own path may be longer than an address can be
        channel.connect(_SOCKET)
        given = b"".join(fd.to_bytes(4, sys.byteorder) for fd in theirs)
        channel.sendmsg([b'{"verb": "visit", "key": "%s"}' % key.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, given)])
        if channel.recv(_CHUNK).startswith(b'{"pid"'):
            return ours
    except OSError:
        pass
    finally:
        os.chdir("/")
        channel.close()
        for fd in theirs:
            os.close(fd)
    for fd in ours:
        os.close(fd)
    return ()


def _done(pipes: t.Sequence[int], content: bytes) -> t.Optional[int]:
    talk = exchange.Exchange(*pipes)
    talk.send(content, last=True)
    lines: t.List[bytes] = []
    while not lines and talk.step(None):
        lines = talk.take_lines()
    talk.drain()
    talk.close()
    if lines == [b""]:
        return None
    if not lines:
        _write(2, b"cocker: the process that entered the container has died: " + talk.errors[-_TAIL:])
        return FAILED
    code, _blank, reason = lines[0].partition(b" ")
    _write(1, talk.output)
    _write(2, talk.errors + (b"cocker: %s\n" % reason if reason else b""))
    return int(code)


def _write(fd: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(fd, left):]

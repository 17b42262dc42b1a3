# SPDX-License-Identifier: BSD-2-Clause
"""The host's journal as a log: systemd's native protocol, one datagram a line, so that a line may hold any byte.

Not here: cutting the streams into lines (logs.py).
"""
from __future__ import annotations

import _socket  # the interpreter's own, without what socket.py adds: this memory is every container's
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver

_PRIORITY = {"stdout": "6", "stderr": "3"}      # as docker: info, and error
_PATIENCE = 1000        # milliseconds that a journal which does not read holds up the container


def encode(fields: t.Iterable[t.Tuple[str, bytes]]) -> bytes:
    """Pure: each with its length, so that the value may hold anything."""
    return b"".join(b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value) for name, value in fields)


def message(line: bytes, stream: str) -> t.List[t.Tuple[str, bytes]]:
    """Pure: one line, or a piece of a longer one, without its newline."""
    partial = [] if line.endswith(b"\n") else [("CONTAINER_PARTIAL_MESSAGE", b"true")]
    return [("PRIORITY", _PRIORITY[stream].encode()), *partial, ("MESSAGE", line[:-1] if line.endswith(b"\n") else line)]


class Journal:
    """Lines that the journal does not take are lost, counted, and never stop the container."""

    def __init__(self, fields: t.Iterable[t.Tuple[str, str]]) -> None:
        self._fixed = encode((name, value.encode("utf-8", "surrogateescape")) for name, value in fields)
        self._socket: t.Optional[_socket.socket] = None
        self.lost = 0

    def _connect(self) -> _socket.socket:
        if self._socket is None:
            found = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
            try:
                found.connect(logdriver.JOURNAL)
            except OSError:
                found.close()
                raise
            self._socket = found
        return self._socket

    def append(self, stream: str, lines: t.Sequence[bytes]) -> None:
        for line in lines:
            datagram = self._fixed + encode(message(line, stream))
            if not self._send(datagram) and not self._send(datagram):       # a journal that was restarted has another socket
                self.lost += len(line)

    def _send(self, datagram: bytes) -> bool:
        try:
            sock = self._connect()
            try:
                sock.send(datagram)
            except BlockingIOError:
                poller = select.poll()
                poller.register(sock.fileno(), select.POLLOUT)
                poller.poll(_PATIENCE)
                sock.send(datagram)
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

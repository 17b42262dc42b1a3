# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on loopback that answers each request with the next line of a script, or breaks off as the script says."""
from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import typing as t

Headers = t.Mapping[str, str]


class Answer(t.NamedTuple):
    """`cut`: only so many bytes of the body are sent, then the connection ends. None for status: it ends without a word."""

    status: t.Optional[int] = 200
    body: bytes = b""
    headers: Headers = {}
    cut: t.Optional[int] = None


class Asked(t.NamedTuple):
    method: str
    path: str
    headers: Headers
    body: bytes


class Server:
    def __init__(self, script: t.Sequence[Answer]) -> None:
        self.script = list(script)
        self.asked: t.List[Asked] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = "127.0.0.1:%d" % self._server.server_address[1]
        self.url = "http://" + self.host

    def _handler(self) -> t.Type[http.server.BaseHTTPRequestHandler]:
        lab = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                lab.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
                answer = lab.script.pop(0) if lab.script else Answer(599)
                if answer.status is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
                if answer.cut is not None:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_arguments: t.Any) -> None:
                pass

        return Handler


@contextlib.contextmanager
def serving(*script: Answer) -> t.Iterator[Server]:
    server = Server(script)
    thread = threading.Thread(target=server._server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        thread.join()
        server._server.server_close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad line to a registry: forwards to it, and spoils answers as it is told.

    python registry_proxy.py PORT UPSTREAM_PORT

POST /_rules with a list of [METHOD, REGEX of the path, TIMES, WHAT] sets the rules and empties the log; GET /_log tells the requests
since then as [METHOD, PATH, RANGE, AUTHORIZATION, BYTES OF THE BODY]. WHAT: cut:N, status:N, flip, grow, redirect:URL, norange,
slow:N (the answer comes in N pieces, each a fifth of a second after the other).
"""
from __future__ import annotations

import http.client
import http.server
import json
import re
import socket
import sys
import time
import typing as t

RULES: t.List[t.List[t.Any]] = []
LOG: t.List[t.List[t.Any]] = []
UPSTREAM = int(sys.argv[2]) if len(sys.argv) > 2 else 0
HOP = ("connection", "transfer-encoding", "content-length", "host")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/_"):
            self.control(body)
            return
        LOG.append([self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization"), len(body)])
        what = self.what()
        name, _colon, value = what.partition(":")
        if name == "status":
            self.reply(int(value), {"Retry-After": "0"}, b"")
        elif name == "redirect":
            self.reply(307, {"Location": value + self.path}, b"")
        else:
            self.forward(body, name, value)

    def what(self) -> str:
        for rule in RULES:
            method, pattern, times, what = rule
            if times and method == self.command and re.search(pattern, self.path):
                rule[2] -= 1
                return str(what)
        return ""

    def forward(self, body: bytes, name: str, value: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM)
        headers = {key: each for key, each in self.headers.items() if key.lower() not in HOP and not (name == "norange" and key == "Range")}
        connection.request(self.command, self.path, body, {**headers, "Host": self.headers["Host"]})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = {key: each for key, each in answer.getheaders() if key.lower() not in HOP}
        if name == "flip":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if name == "grow":
            content += b"x"
        length = int(answer.headers.get("Content-Length") or 0) if self.command == "HEAD" else len(content)
        pieces = int(value) if name == "slow" else 1
        self.reply(answer.status, kept, content, length=length, cut=int(value) if name == "cut" else None, pieces=pieces)

    def reply(self, status: int, headers: t.Mapping[str, str], content: bytes, *, length: t.Optional[int] = None, cut: t.Optional[int] = None,
              pieces: int = 1) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.write(content if cut is None else content[:cut], pieces)
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def write(self, content: bytes, pieces: int) -> None:
        each = -(-len(content) // pieces) or 1
        for start in range(0, len(content), each):
            time.sleep(0.2 if start else 0)
            self.wfile.write(content[start:start + each])

    def control(self, body: bytes) -> None:
        if self.command == "POST":
            RULES[:], LOG[:] = json.loads(body), []
        self.reply(200, {}, json.dumps(LOG).encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_arguments: t.Any) -> None:
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

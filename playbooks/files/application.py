# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP service about users: MariaDB keeps them, redis remembers what was read. Both are found by the names `database` and `cache`.

POST /users with {"id": ..., "nickName": ...}, GET /users, GET /users/ID. Not here: who starts it (application.yml).
"""
from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess

CLIENT = ["mariadb", "--host=database", "--user=demo", "--batch", "--skip-column-names", "demo"]


def sql(statement: str) -> list[list[str]]:
    environment = {**os.environ, "MYSQL_PWD": os.environ["DEMO_PASSWORD"]}
    done = subprocess.run(CLIENT, input=statement, env=environment, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def quoted(value: str) -> str:
    return "x'%s'" % value.encode().hex()


def redis(*words: str) -> bytes:
    """The value of a bulk answer, empty for none."""
    request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words)
    with socket.create_connection(("cache", 6379), timeout=10) as connection, connection.makefile("rb") as stream:
        connection.sendall(request)
        head = stream.readline()
        return stream.read(int(head[1:])) if head.startswith(b"$") and not head.startswith(b"$-") else b""


class Users(http.server.BaseHTTPRequestHandler):
    def answer(self, code: int, value: object, source: str = "database") -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Read-From", source)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        user = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sql("replace into users values (%s, %s)" % (quoted(user["id"]), quoted(user["nickName"])))
        redis("DEL", "user:" + user["id"])
        self.answer(201, user)

    def do_GET(self) -> None:
        name = self.path.removeprefix("/users").strip("/")
        if not name:
            self.answer(200, [{"id": found, "nickName": nick} for found, nick in sql("select id, nick from users order by id")])
            return
        kept = redis("GET", "user:" + name)
        if kept:
            self.answer(200, json.loads(kept), "cache")
            return
        rows = sql("select id, nick from users where id = %s" % quoted(name))
        if not rows:
            self.answer(404, {"error": "no such user"})
            return
        user = {"id": rows[0][0], "nickName": rows[0][1]}
        redis("SET", "user:" + name, json.dumps(user))
        self.answer(200, user)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 8080), Users).serve_forever()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A token server as registries want one: JSON web tokens, signed by openssl, for what a user may do.

    python registry_tokens.py PORT KEY CERTIFICATE

ann with the password `secret` may do everything; nobody may pull from public/...
"""
from __future__ import annotations

import base64
import http.server
import json
import re
import subprocess
import sys
import time
import typing as t
import urllib.parse

ANN = "Basic " + base64.b64encode(b"ann:secret").decode()


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(service: str, scopes: t.Sequence[str], *, known: bool) -> str:
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        allowed = [action for action in actions.split(",") if known or action == "pull" and name.startswith("public/")]
        access.append({"type": kind, "name": name, "actions": allowed})
    with open(sys.argv[3]) as file:
        certificate = re.sub(r"-----[A-Z ]+-----|\s", "", file.read())
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
    claims = {"iss": "tests", "aud": service, "sub": "", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "x", "access": access}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", sys.argv[2]], input=text.encode(), check=True, stdout=subprocess.PIPE)
    return "%s.%s" % (text, encoded(signed.stdout))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        said = self.headers.get("Authorization")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        good = said in (None, ANN)
        body = json.dumps({"token": token(query["service"][0], query.get("scope", []), known=said == ANN)} if good else {}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: t.Any) -> None:
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries of a laboratory (docker-registry of Debian), on its loopback: plain, with TLS and a password, with tokens; and a bad line.

The names are those of PLAIN, SAFE, TOKENS and LINE, and mean something only in the lab.
"""
from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Access
from ansible_collections.cocker.engine.tests.root import netlab

PLAIN, SAFE, TOKENS, LINE = "localhost:5000", "localhost:5001", "localhost:5002", "localhost:5003"
_TOKEN_SERVER = 5004
HTTP = Access(plain_http=True, timeout=10)
# ann, secret
_HTPASSWD = "ann:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
_HERE = pathlib.Path(__file__).parent


class Registries:
    def __init__(self, lab: netlab.Lab, folder: pathlib.Path) -> None:
        self.lab, self.folder = lab, folder
        self.ca = str(folder / "ca.pem")

    def access(self, registry: str, **more: t.Any) -> Access:
        said = {"ca_path": self.ca} if registry == SAFE else {"plain_http": True}
        return Access(**{"timeout": 10, **said, **more})

    def start(self) -> None:
        self._make_certificates()
        (self.folder / "htpasswd").write_text(_HTPASSWD)
        self._registry(PLAIN, {})
        self._registry(SAFE, {"auth": {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}}, tls=True)
        self._registry(TOKENS, {"auth": {"token": {
            "realm": "http://localhost:%d/token" % _TOKEN_SERVER, "service": "tests", "issuer": "tests", "rootcertbundle": self.ca}}})
        self._python("registry_tokens.py", str(_TOKEN_SERVER), str(self.folder / "ca.key"), self.ca)
        self._python("registry_proxy.py", _port(LINE), _port(PLAIN))
        for port in (_port(PLAIN), _port(SAFE), _port(TOKENS), _port(LINE), str(_TOKEN_SERVER)):
            if not poll.until(lambda port=port: self.lab.call("ss", "-Hltn", "sport = " + port), timeout=20):
                raise netlab.LabError("nobody listens on port " + port)

    def _registry(self, name: str, more: t.Dict[str, t.Any], *, tls: bool = False) -> None:
        http_: t.Dict[str, t.Any] = {"addr": "127.0.0.1:" + _port(name), "secret": "x"}
        if tls:
            http_["tls"] = {"certificate": str(self.folder / "server.pem"), "key": str(self.folder / "server.key")}
        storage = {"filesystem": {"rootdirectory": str(self.folder / ("storage-" + _port(name)))}, "delete": {"enabled": True}}
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}}, "storage": storage, "http": http_, **more}
        path = self.folder / ("registry-%s.yml" % _port(name))
        path.write_text(json.dumps(config))
        with open(self.folder / "registry.log", "ab") as log:
            self.lab.spawn(["docker-registry", "serve", str(path)], stdout=log, stderr=log)

    def _python(self, script: str, *arguments: str) -> None:
        self.lab.spawn([sys.executable, str(_HERE / script), *arguments], stderr=subprocess.DEVNULL)

    def _make_certificates(self) -> None:
        for command in (
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.csr",
            "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -out server.pem",
        ):
            subprocess.run(["openssl", *command.split()], cwd=self.folder, check=True, capture_output=True)

    def rules(self, *rules: t.Tuple[str, str, int, str]) -> None:
        """How the line is bad from now on; its log is empty."""
        self.lab.run(_control, "POST", "/_rules", json.dumps(rules))

    def log(self) -> t.List[t.List[t.Any]]:
        """Requests over the line since then."""
        return t.cast(t.List[t.List[t.Any]], self.lab.run(_control, "GET", "/_log", ""))

    def blobs_asked(self) -> t.List[str]:
        return [path for method, path, *_more in self.log() if method == "GET" and "/blobs/" in path]

    def skopeo(self, *arguments: str) -> str:
        return self.lab.call("skopeo", *arguments)


def _control(method: str, path: str, body: str) -> t.Any:
    connection = http.client.HTTPConnection("127.0.0.1", int(_port(LINE)), timeout=10)
    connection.request(method, path, body)
    return json.loads(connection.getresponse().read())


def _port(name: str) -> str:
    return name.partition(":")[2]


@contextlib.contextmanager
def serving(lab: netlab.Lab, folder: pathlib.Path) -> t.Iterator[Registries]:
    registries = Registries(lab, folder)
    registries.start()
    yield registries

# SPDX-License-Identifier: GPL-3.0-or-later
"""A store with a small image in a temporary directory, and the engine run on the laboratory's host: for tests of engine/."""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, exec, info
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model import ports
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish, ExecWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import netlab

BUSYBOX = "/bin/busybox"
IMAGE = "box"
SERVER = ("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www")


class Engine:
    """The engine of one home. Every call runs in a child on the lab's host, as a module's would."""

    def __init__(self, lab: netlab.Lab, home: str) -> None:
        self.lab, self.home = lab, home
        lab.run(make_store, home)

    def ensure(self, name: str, *, check: bool = False, **said: t.Any) -> t.Any:
        options = {key: said.pop(key) for key in ("state", "restart", "recreate", "on_change") if key in said}
        if "published_ports" in said:
            said["published_ports"] = ports.normalise(said["published_ports"])
        wish = ContainerWish(ContainerSpec(name, **said), **options)
        return self.lab.run(lambda: containers.ensure(open_host(self.home, dry_run=check), wish))

    def exec(self, name: str, *argv: str, **options: t.Any) -> t.Any:
        return self.lab.run(lambda: exec.run(open_host(self.home, dry_run=False), ExecWish(name, argv, **options)))

    def read(self, name: str, script: str) -> str:
        result = self.exec(name, "/bin/sh", "-c", script)
        if result["rc"]:
            raise AssertionError(result)
        return str(result["stdout"].decode().rstrip("\n"))

    def find(self, name: str) -> t.Optional[t.Dict[str, t.Any]]:
        found = self.lab.run(lambda: info.containers(open_host(self.home, dry_run=True), name))
        return found[0] if found else None

    def run(self, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        return self.lab.run(lambda: function(open_host(self.home, dry_run=False), *args))

    def remove_all(self) -> None:
        for name in Layout(self.home).container_names():
            self.ensure(name, state="absent")


def make_store(home: str) -> None:
    """One image, `box:1`, with a static busybox, a page to serve and a user."""
    layout = Layout(home)
    layout.ensure()
    diff = layout.diff("base")
    for directory in ("bin", "etc", "www", "tmp", "root", "proc", "sys", "dev"):
        os.makedirs(os.path.join(diff, directory))
    shutil.copy(BUSYBOX, os.path.join(diff, "bin/busybox"))
    for applet in subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(diff, "bin", applet))
    for name, text in (("www/index.html", "hello\n"), ("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/www:/bin/sh\n"),
                       ("etc/group", "root:x:0:\nweb:x:1000:\nextra:x:2000:web\n")):
        with open(os.path.join(diff, name), "w") as file:
            file.write(text)
    config = ImageConfig(env=("PATH=/bin", "FROM=image"), labels={"of": "image"})
    images.save(layout, ImageRecord(IMAGE, "1", ("base",), config, "2026-01-01T00:00:00Z", Provenance("directory")))


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()

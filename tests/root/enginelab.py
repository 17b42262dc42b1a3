# SPDX-License-Identifier: GPL-3.0-or-later
"""A store with a small image in a temporary directory, and the engine run on the laboratory's host: for tests of engine/.

A module of tests has one lab and one store; each test leaves the host, the store and the run directory as it found them (`clean`).
"""
from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import shutil
import signal
import subprocess
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle, containers, exec, info, networks, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model import ports
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish, ExecWish, NetworkWish, VolumeWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import netlab

TREE = str(pathlib.Path(__file__).resolve().parents[2] / ".build" / "tree")     # where the checkout is importable for a process of its own
BUSYBOX = "/bin/busybox"
IMAGE = "box"
SERVER = ("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www")
SLEEP = ("/bin/sleep", "1000")
WISH = (
    "pull", "state", "restart", "recreate", "repin", "from_image", "from_container", "volumes_from", "on_change", "kill_signal",
    "healthy_within", "detach", "cleanup",
)


def wish(name: str, **said: t.Any) -> ContainerWish:
    """A container that dies at once when it is stopped, so that no test waits for a grace period."""
    options = {key: said.pop(key) for key in WISH if key in said}
    if "published_ports" in said and said["published_ports"] is not None:
        said["published_ports"] = ports.normalise(said["published_ports"], ipv6=True)
    if said.get("images"):
        said.setdefault("stop_signal", int(signal.SIGKILL))
    return ContainerWish(ContainerSpec(name, **said), **options)


class Engine:
    """The engine of one home. Every call runs in a child on the lab's host, as a module's would."""

    def __init__(self, lab: netlab.Lab, home: str) -> None:
        self.lab, self.home, self.layout = lab, home, Layout(home)

    def ensure(self, name: str, *, check: bool = False, before: t.Callable[[], t.Any] = lambda: None, **said: t.Any) -> t.Any:
        """`before` runs in the same child."""
        def run() -> t.Any:
            before()
            with plain_errors():
                return containers.ensure(open_host(self.home, dry_run=check), wish(name, **said))
        return self.lab.run(run)

    def start(self, name: str = "web", **said: t.Any) -> t.Any:
        return self.ensure(name, **{"images": (IMAGE,), "command": SLEEP, **said})

    def network(self, name: str, state: str = "present", *, before: t.Callable[[], t.Any] = lambda: None, **said: t.Any) -> t.Any:
        def run() -> t.Any:
            before()
            return networks.ensure(open_host(self.home, dry_run=False), NetworkWish(NetworkSpec(name, **said), state))
        return self.lab.run(run)

    def volume(self, name: str, state: str = "present", **said: t.Any) -> t.Any:
        return self.lab.run(lambda: volumes.ensure(open_host(self.home, dry_run=False), VolumeWish(VolumeSpec(name, **said), state)))

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

    def state(self, name: str) -> t.Any:
        found = self.find(name)
        return found["State"] if found else None

    def run(self, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        return self.lab.run(lambda: function(open_host(self.home, dry_run=False), *args))

    def remove_all(self) -> None:
        for name in self.layout.container_names():
            self.ensure(name, state="absent")
        for name in self.layout.network_names():
            self.network(name, "absent")
        for name in self.layout.volume_names():
            self.volume(name, "absent")

    def snapshot(self) -> t.Dict[str, t.Any]:
        """What the host has of containers: links, rules, pins; the store and the run directory; cgroups and processes of this store."""
        return {**self.lab.snapshot(), **self.files(), "cgroups": self.cgroups()}

    def files(self) -> t.Dict[str, t.Any]:
        """Without what is kept for speed (the installed engine, filters, digests of exports) and what is nobody's (empty directories of locks)."""
        kept = ("engine", "images", "layers", "exports")
        home = [path for path in tree(self.home) if path.split("/")[0] not in kept]
        run = self.lab.run(lambda: tree("/run/cocker"))
        return {"home": home, "run": [path for path in run if "/locks/" not in path and not path.endswith("networks-of.lock")]}

    def cgroups(self) -> t.List[str]:
        mark = self.lab.run(lambda: open_host(self.home, dry_run=True).kernel_name("x"))[1:]
        return sorted(path for path in tree("/sys/fs/cgroup", files=False) if path.split("/")[-1].endswith(mark))


@contextlib.contextmanager
def plain_errors() -> t.Iterator[None]:
    """An error can be sent to the parent; what failed beside it, as text."""
    try:
        yield
    except (CockerError, OSError) as error:
        if getattr(error, "cleanup", None):
            vars(error)["cleanup"] = [str(each) for each in vars(error)["cleanup"]]
        raise


def tree(top: str, *, files: bool = True) -> t.List[str]:
    found = []
    for where, directories, names in os.walk(top):
        found += [os.path.relpath(os.path.join(where, name), top) for name in (directories + names if files else directories)]
    return sorted(found)


@contextlib.contextmanager
def clean(engine: Engine) -> t.Iterator[Engine]:
    """For a fixture: afterwards nothing of the test is left, neither in the kernel nor on the disk."""
    before = engine.snapshot()
    try:
        yield engine
    finally:
        engine.remove_all()
    after = engine.snapshot()
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    if changed:
        raise AssertionError("left behind: %s" % changed)


def resolved(point: str) -> t.Tuple[t.Any, str]:
    """`engine.lifecycle._launch` -> the module (or class) and the name."""
    layer, file, *inner, name = point.split(".")
    found: t.Any = importlib.import_module("%s.%s.%s" % (bundle.PACKAGE, layer, file))
    for each in inner:
        found = getattr(found, each)
    return found, name


def failing(point: str, *, after: bool = False, times: int = 1) -> t.Callable[[], None]:
    """For `before`: the function raises when it is called, or `after` it has done its work; later calls are good."""
    def patch() -> None:
        module, name = resolved(point)
        real, left = getattr(module, name), [times]

        def broken(*args: t.Any, **named: t.Any) -> t.Any:
            if not left[0]:
                return real(*args, **named)
            left[0] -= 1
            if after:
                real(*args, **named)
            raise OSError(28, "made to fail", point)

        setattr(module, name, broken)
    return patch


def dying(point: str, *, nth: int = 1, after: bool = False) -> t.Callable[[], None]:
    """For `before`: the module's process is killed at the nth call."""
    def patch() -> None:
        module, name = resolved(point)
        real, calls = getattr(module, name), [0]

        def deadly(*args: t.Any, **named: t.Any) -> t.Any:
            calls[0] += 1
            if calls[0] == nth and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **named)
            if calls[0] == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(module, name, deadly)
    return patch


def make_store(home: str) -> None:
    """Two images, `box:1` with a static busybox, a page to serve and a user, and `top:1` to be stacked on it."""
    layout = Layout(home)
    diff = layout.diff("base")
    for directory in ("bin", "etc", "www", "tmp", "root", "proc", "sys", "dev"):
        os.makedirs(os.path.join(diff, directory), mode=0o755)
    os.chmod(diff, 0o755)
    os.chmod(os.path.join(diff, "tmp"), 0o1777)
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
    os.makedirs(os.path.join(layout.diff("top"), "top"), mode=0o755)
    os.chmod(layout.diff("top"), 0o755)
    config = ImageConfig(cmd=("/bin/sleep", "999"))
    images.save(layout, ImageRecord("top", "1", ("top",), config, "2026-01-01T00:00:00Z", Provenance("directory")))


@contextlib.contextmanager
def host(directory: str) -> t.Iterator[Engine]:
    """A lab with a store, for a module of tests; the engine is installed and every directory is there."""
    with netlab.Lab() as lab:
        engine = Engine(lab, os.path.join(directory, "home"))
        lab.run(lambda: Layout(engine.home).ensure())
        lab.run(make_store, engine.home)
        engine.start("first", command=("/bin/true",), network_mode="none")
        engine.ensure("first", state="absent")
        yield engine

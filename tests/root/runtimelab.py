# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers for root tests: a tiny image of one static busybox, bundles compiled from wishes, started by the real launcher."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher, spec, state

TREE = str(pathlib.Path(__file__).resolve().parents[2] / ".build" / "tree")
BUSYBOX = shutil.which("busybox") or "/bin/busybox"
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1001:\nextra:x:2000:app\nother:x:3000:\n"


def until(predicate: t.Callable[[], t.Any], timeout: float = 10.0) -> t.Any:
    """The first true value of the predicate; fails the test when the time is up."""
    deadline = time.monotonic() + timeout
    while True:
        found = predicate()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("still not true after %g s: %s" % (timeout, getattr(predicate, "__name__", predicate)))
        time.sleep(0.01)


def make_layer(path: pathlib.Path) -> None:
    for name in ("bin", "etc", "tmp", "root"):
        (path / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, path / "bin" / "busybox")
    for name in subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split():
        if name != "busybox":
            (path / "bin" / name).symlink_to("busybox")
    (path / "etc" / "passwd").write_text(PASSWD)
    (path / "etc" / "group").write_text(GROUP)


class Box:
    """One container; `wish` are fields of RuntimeWish."""

    def __init__(self, base: pathlib.Path, layer: pathlib.Path, name: str, *, python: str = sys.executable, **wish: t.Any) -> None:
        self.name = "t%d-%s" % (os.getpid(), name)
        self.bundle = base / name
        self.state_dir = base / "run" / name
        self.python = python
        for folder in ("upper", "work", "merged"):
            (self.bundle / folder).mkdir(parents=True, exist_ok=True)
        wish.setdefault("hostname", name)
        self.config = spec.compile_config(spec.RuntimeWish(
            name=self.name, lower=(str(layer),), upper=str(self.bundle / "upper"), work=str(self.bundle / "work"), **wish))
        self.write()

    def write(self) -> None:
        """A new file in the place of the former, as the engine does it: a supervisor keeps the former open, and may be reading it."""
        fresh = self.bundle / "config.json.new"
        fresh.write_text(json.dumps(self.config))
        fresh.rename(self.bundle / "config.json")

    def request(self, reap: t.Sequence[str] = ()) -> launcher.StartRequest:
        return launcher.StartRequest(self.name, str(self.bundle), str(self.state_dir), reap)

    def start(self, reap: t.Sequence[str] = ()) -> launcher.StartResult:
        return launcher.start([self.request(reap)], engine=TREE, python=self.python)[0]

    def run(self, timeout: float = 10.0) -> state.Ending:
        """Started, and waited for."""
        result = self.start()
        assert result.error == "", result
        return self.wait(timeout)

    def wait(self, timeout: float = 10.0) -> state.Ending:
        return t.cast(state.Ending, until(self.ending, timeout))

    def ending(self) -> t.Optional[state.Ending]:
        """Of a container of which nothing is left but the record."""
        return state.find_exit(str(self.bundle)) if state.find(str(self.state_dir)) is None else None

    def state(self) -> state.State:
        found = state.find(str(self.state_dir))
        assert found is not None
        return found

    def exec(self, *args: str, timeout: t.Optional[float] = 20.0, **more: t.Any) -> launcher.ExecResult:
        request = launcher.ExecRequest(str(self.bundle), str(self.state_dir), args, **more)
        return launcher.run_exec(request, engine=TREE, python=self.python, timeout=timeout)

    def entries(self) -> t.List[t.Dict[str, str]]:
        files = sorted((self.bundle / "logs").glob("container.log*"), key=lambda path: path.name, reverse=True)
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    def output(self, stream: str = "stdout") -> bytes:
        return b"".join(entry["log"].encode("utf-8", "surrogateescape") for entry in self.entries() if entry["stream"] == stream)

    def lines(self) -> t.List[str]:
        return self.output().decode().splitlines()

    def kill(self) -> None:
        """Whatever is left, at the end of a test."""
        found = state.find(str(self.state_dir))
        if found is None:
            return
        (self.state_dir / state.STOPPING).touch()       # no further run
        process.signal(found.supervisor, signal.SIGHUP)
        process.signal(found.init, signal.SIGKILL)
        process.wait_gone(found.init, 10)
        process.wait_gone(found.supervisor, 10)

    def cgroup_directories(self) -> t.List[str]:
        return [path for path, _folders, _files in os.walk("/sys/fs/cgroup") if os.path.basename(path) == self.name]


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("image") / "layer"
    make_layer(path)
    return path


@pytest.fixture()
def make(tmp_path: pathlib.Path, layer: pathlib.Path) -> t.Iterator[t.Callable[..., Box]]:
    """Boxes whose containers are gone after the test."""
    boxes: t.List[Box] = []

    def box(name: str = "one", **wish: t.Any) -> Box:
        boxes.append(Box(tmp_path, wish.pop("layer", layer), name, **wish))
        return boxes[-1]

    yield box
    for found in boxes:
        found.kill()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the benchmark happens: the tests' network laboratory and a directory of its own, both gone afterwards.

Not here: what is measured. The machine's own network is not touched.
"""
from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import ports
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

IMAGE = "box"
PEER_IMAGE = "bench:1"
SERVER = enginelab.SERVER           # what runs in every measured container, ours and theirs
SLEEP = enginelab.SLEEP
FIRST_PORT = 18000
MEMORY, CPUS, PIDS = 64 << 20, "0.5", 50


class Stage:
    """`directory` is on the file system of $TMPDIR, which decides what an fsync costs."""

    def __init__(self, lab: netlab.Lab, directory: str, repeat: int) -> None:
        self.lab, self.directory, self.repeat = lab, directory, repeat
        self.home = os.path.join(directory, "home")
        self.root_archive = os.path.join(directory, "root.tar")
        lab.run(enginelab.make_store, self.home)
        subprocess.run(["tar", "-C", Layout(self.home).diff("base"), "-cf", self.root_archive, "."], check=True)

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def remove_all(self) -> None:
        """Every container of the store."""
        for name in Layout(self.home).container_names():
            self.lab.run(functools.partial(ensure, self.home, ContainerSpec(name), state=ABSENT))


@contextlib.contextmanager
def opened(repeat: int) -> t.Iterator[Stage]:
    directory = tempfile.mkdtemp(prefix="cocker-bench-")
    try:
        with netlab.Lab() as lab:
            stage = Stage(lab, directory, repeat)
            try:
                yield stage
            finally:
                stage.remove_all()
    finally:
        shutil.rmtree(directory)


def ensure(home: str, spec: ContainerSpec, *, state: str, host: t.Optional[Host] = None) -> t.Any:
    """In the lab only: as the module does it, with the opening of the host, unless the task has it open."""
    return containers.ensure(host or open_host(home, dry_run=False), ContainerWish(spec, state=state))


def server(name: str, port: int) -> ContainerSpec:
    """With all that DESIGN's number is about: bridge, published port, limits; seccomp is there by default."""
    return ContainerSpec(
        name, images=(IMAGE,), command=SERVER, published_ports=ports.normalise(["%d:8080" % port]),
        memory=MEMORY, nano_cpus=int(float(CPUS) * 10 ** 9), pids_limit=PIDS, stop_timeout=0,
    )

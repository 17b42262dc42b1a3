# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks written for docker_container and podman_container, run: the first run changes, the second does not, a change costs what it must."""
from __future__ import annotations

import os
import re
import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image
from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests import taskcorpus
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

SUBNETS = {"front": "10.77.0.0/24", "back": "10.77.1.0/24"}
CONFIG = ImageConfig(
    env=("PATH=/bin:/usr/local/bin",), cmd=("/bin/sleep", "1000"), stop_signal="SIGKILL", exposed_ports=("80/tcp",), labels={"vendor": "image"},
)


def wanted_images() -> t.Set[str]:
    tasks = [task for entry in taskcorpus.ENTRIES for task in (entry["task"], {**entry["task"], **entry["change"]})]
    return {task["image"] for task in tasks}


def make_images(home: str) -> None:
    """Every image of the corpus: the laboratory's files with programs that do nothing for a while, the newer nginx with one more."""
    layout = Layout(home)
    bin_directory = os.path.join(layout.diff("base"), "usr/local/bin")
    os.makedirs(bin_directory)
    for path in (os.path.join(bin_directory, "app"), os.path.join(layout.diff("base"), "bin/redis-server")):
        with open(path, "w") as file:
            file.write("#!/bin/sh\nexec sleep 1000\n")
        os.chmod(path, 0o755)
    for text in sorted(wanted_images()):
        ref = names.parse_image(parse_image.reference(text, "image"), "image")
        layers = ("base", "top") if text == "nginx:1.26" else ("base",)
        images.save(layout, ImageRecord(ref.name, ref.version or "1", layers, CONFIG, "2026-01-01T00:00:00Z", Provenance("directory")))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        found.lab.run(make_images, found.home)
        yield found


def run(engine: enginelab.Engine, task: taskcorpus.Task, *, check: bool = False) -> t.Any:
    def ensure() -> t.Any:
        with enginelab.plain_errors():
            return containers.ensure(open_host(engine.home, dry_run=check), taskcorpus.wish(task))
    return engine.lab.run(ensure)


@pytest.mark.parametrize("entry", taskcorpus.ENTRIES, ids=lambda entry: str(entry["name"]))
def test_a_task_that_was_written_for_another_engine(engine: enginelab.Engine, tmp_path: t.Any, entry: t.Dict[str, t.Any]) -> None:
    taskcorpus.make_files(tmp_path)
    for network in entry.get("networks", ()):
        engine.network(network, subnet=SUBNETS[network])
    task, change = taskcorpus.placed(entry["task"], tmp_path), taskcorpus.placed(taskcorpus.changed(entry), tmp_path)
    foreseen, first = run(engine, task, check=True), run(engine, task)
    assert first.changed and (foreseen.plan, foreseen.actions, foreseen.diff) == (first.plan, first.actions, first.diff)
    assert run(engine, task).plan["action"] == "none"
    foreseen, third = run(engine, change, check=True), run(engine, change)
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (third.plan, third.actions, third.diff)
    assert third.plan["action"] == entry["plan"], third.plan
    assert not run(engine, {**change, "recreate": False, "restart": False}).changed


def test_another_name_of_the_same_image_is_noted_ignored_or_a_reason_to_begin_anew(engine: enginelab.Engine) -> None:
    def start(image: str, mismatch: str = "") -> str:
        said = {"image_name_mismatch": mismatch} if mismatch else {}
        return str(run(engine, {"name": "web", "image": image, **said}).plan["action"])
    start("nginx:1.25")
    engine.read("web", "echo mine > /kept")
    assert [start("redis", "ignore"), start("redis"), start("redis", "recreate")] == ["none", "update", "none"]
    assert engine.read("web", "cat /kept") == "mine"
    assert [start("busybox", "recreate"), start("busybox", "recreate")] == ["recreate", "none"]
    assert engine.read("web", "ls /kept 2>/dev/null; true") == ""


def test_labels_of_an_image_that_nobody_said_are_refused_where_that_is_wanted(engine: enginelab.Engine) -> None:
    task = {"name": "web", "image": "busybox", "image_label_mismatch": "fail"}
    with pytest.raises(Exception, match="labels that the task does not say: vendor"):
        run(engine, {**task, "labels": {}}, check=True)
    run(engine, {**task, "labels": {"vendor": "mine"}})
    assert not run(engine, {**task, "labels": {"vendor": "mine"}}).changed
    with pytest.raises(Exception, match="labels that the task does not say: vendor"):
        run(engine, {**task, "labels": {"other": "mine"}})


def test_options_of_mounts_hold(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    run(engine, {
        "name": "web", "image": "busybox", "volumes": ["%s:/host:noexec,nosuid" % tmp_path],
        "tmpfs": {"/a": "noexec,uid=1000,gid=5,mode=0700", "/b": "dev,suid"},
    })
    shown = [line.split() for line in engine.read("web", "grep -E ' /(host|a|b) ' /proc/mounts").splitlines()]
    flags = {line[1]: re.findall(r"noexec|nosuid|nodev", line[3]) for line in shown}
    assert flags == {"/host": ["nosuid", "noexec"], "/a": ["nosuid", "nodev", "noexec"], "/b": []}
    assert engine.read("web", "stat -c %u:%g:%a /a") == "1000:5:700"


def test_aliases_for_every_network_and_links_of_one(engine: enginelab.Engine) -> None:
    engine.network("front", subnet=SUBNETS["front"])
    run(engine, {"name": "db", "image": "busybox", "network": "front", "network_aliases": ["store"]})
    run(engine, {"name": "web", "image": "busybox", "networks": [{"name": "front", "links": ["db:database"]}]})
    assert engine.read("web", "grep -c -w -e store -e database /etc/hosts; true") == "1"

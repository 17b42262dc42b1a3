# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel shows of traps that have to do with it: limits in their order, addresses that stay, volumes without a name, files that change."""
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.tests import taskcorpus
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

SAID = ImageConfig(
    env=("PATH=/bin", "FROM=image"), cmd=("/bin/sleep", "1000"), user="web", working_dir="/www", labels={"of": "image"}, volumes=("/kept",),
    stop_signal="SIGKILL")
MIB = 1 << 20


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        record = ImageRecord("app", "1", ("base",), SAID, "2026-01-01T00:00:00Z", Provenance("directory"))
        found.lab.run(images.save, found.layout, record)
        yield found


def run(engine: enginelab.Engine, *, name: str = "web", **task: t.Any) -> t.Any:
    """As a task of the module; check mode has foreseen it, and a second run finds nothing to do."""
    def ensure(*, check: bool = False) -> t.Any:
        with enginelab.plain_errors():
            return containers.ensure(open_host(engine.home, dry_run=check), taskcorpus.wish({"name": name, "image": "app", **task}))
    foreseen, done = engine.lab.run(lambda: ensure(check=True)), engine.lab.run(ensure)
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (done.plan, done.actions, done.diff)
    assert not engine.lab.run(ensure).changed or task.get("restart")
    return done


def pid(engine: enginelab.Engine, name: str = "web") -> int:
    return int(engine.state(name)["Pid"])


def memory(engine: enginelab.Engine) -> t.Tuple[int, int]:
    """The limits of memory, and of memory and swap; -1 is none."""
    group = engine.find("web")["Cocker"]["Cgroups"]
    if "memory" in group and os.path.exists(group["memory"] + "/memory.limit_in_bytes"):
        files = [os.path.join(group["memory"], "memory." + name) for name in ("limit_in_bytes", "memsw.limit_in_bytes")]
        found = [int(pathlib.Path(path).read_text()) for path in files]
        return tuple(-1 if number > 1 << 60 else number for number in found)   # type: ignore[return-value]
    text = [pathlib.Path(group["unified"], "memory." + name).read_text().strip() for name in ("max", "swap.max")]
    limit, swap = (-1 if word == "max" else int(word) for word in text)
    return limit, -1 if -1 in (limit, swap) else limit + swap


def counts_swap() -> bool:
    point = cgroupfs.layout().controllers.get("memory", "")
    return os.path.exists("/proc/swaps") if cgroupfs.layout().version("memory") == 2 else os.path.exists(point + "/memory.memsw.limit_in_bytes")


@pytest.mark.skipif(not counts_swap(), reason="this host does not count swap")
def test_memory_outgrows_the_swap_that_there_was_and_comes_back(engine: enginelab.Engine) -> None:
    run(engine, network_mode="none", memory="64M", memory_swap="64M")
    first = pid(engine)
    for said, seen in [
        ({"memory": "128M", "memory_swap": "256M"}, (128, 256)), ({"memory": "32M", "memory_swap": "32M"}, (32, 32)), ({"memory": "512M"}, (512, 512)),
        ({"memory": "64M", "memory_swap": "-1"}, (64, None)), ({"memory": "16M"}, (16, 16)), ({}, (None, None)), ({"memory": "32M"}, (32, 32)),
    ]:
        assert run(engine, network_mode="none", **said).plan["action"] == "update"
        assert memory(engine) == tuple(-1 if number is None else number * MIB for number in seen), said
    assert pid(engine) == first


def test_what_the_image_says_anyhow_and_what_is_usual_stop_nothing(engine: enginelab.Engine) -> None:
    run(engine, network_mode="none")
    first = pid(engine)
    said = {"user": "web", "working_dir": "/www", "env": {"FROM": "image"}, "command": ["/bin/sleep", "1000"], "hostname": "web", "init": False}
    noted = run(engine, network_mode="none", on_change="live_only", **said)
    assert (noted.plan["action"], sorted(noted.diff["after"])) == ("update", sorted(said))
    usual = {"privileged": False, "read_only": False, "capabilities": [], "pids_limit": -1, "memory": "-1", "volumes": [], "restart_policy": "no",
             "stop_timeout": 10, "log_driver": "json-file", "ipc_mode": "private", "userns_mode": "host", "published_ports": [], "ulimits": []}
    assert not run(engine, network_mode="none", **said, **usual).changed
    assert run(engine, network_mode="none").plan["action"] == "update"
    assert pid(engine) == first


def test_a_volume_without_a_name_is_the_same_after_every_start(engine: enginelab.Engine) -> None:
    run(engine, network_mode="none", volumes=["/scratch"], user="0")
    named = engine.layout.volume_names()
    assert len(named) == 2      # the image's, and that of the task
    engine.read("web", "echo mine > /kept/a; echo mine > /scratch/a")
    run(engine, network_mode="none", volumes=["/scratch"], user="0", restart=True)
    run(engine, network_mode="none", volumes=["/scratch/", "/kept"], user="0", env={"A": "1"})
    assert run(engine, network_mode="none", volumes=["/scratch"], user="0", image="box", command=["sleep", "9"]).changed
    assert engine.read("web", "cat /scratch/a") == "mine"
    run(engine, network_mode="none", volumes=["/scratch"], user="0")
    assert engine.read("web", "cat /kept/a /scratch/a") == "mine\nmine" and engine.layout.volume_names() == named


def test_an_address_that_nobody_asked_for_is_kept_also_while_it_is_stopped(engine: enginelab.Engine) -> None:
    engine.network("front", subnet="10.77.0.0/24")
    engine.network("back", subnet="10.77.1.0/24")
    both = [{"name": "front"}, {"name": "back", "mac_address": "02-42-00-00-00-09"}]
    run(engine, networks=both)

    def seen(order: t.Sequence[str]) -> t.List[t.Tuple[str, str]]:
        found = engine.find("web")["NetworkSettings"]["Networks"]
        return [(found[name]["IPAddress"], found[name]["MacAddress"]) for name in order]
    first = seen(["front", "back"])
    assert first[1][1] == "02:42:00:00:00:09"
    assert engine.read("web", "ip route | grep default").split()[2] == "10.77.0.1"
    run(engine, networks=both, state="stopped")
    run(engine, name="other", networks=[{"name": "front"}])      # it does not get the address of one that is stopped
    run(engine, networks=both)
    assert seen(["front", "back"]) == first
    asked = [{"name": "front", "ipv4_address": first[0][0]}, both[1]]
    started = pid(engine)
    run(engine, networks=asked)
    assert (seen(["front", "back"]), pid(engine)) == (first, started)
    run(engine, networks=both[::-1])
    assert engine.read("web", "ip route | grep default").split()[2] == "10.77.1.1" and pid(engine) == started
    assert seen(["front", "back"]) == first


def test_a_file_of_variables_that_was_edited_and_a_secret_that_was_changed_are_found(engine: enginelab.Engine, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "app.env"
    secret = {"type": "content", "target": "/run/secret", "content": "one", "mode": "0444"}
    file.write_text("A=1\n")
    run(engine, network_mode="none", env_file=str(file), mounts=[secret])
    file.write_text("A=2\n")
    found = run(engine, network_mode="none", env_file=str(file), mounts=[secret])
    assert found.plan == {"action": "restart", "reasons": ["env changed (restart)"]}
    found = run(engine, network_mode="none", env_file=str(file), mounts=[{**secret, "content": "two"}])
    assert found.plan == {"action": "restart", "reasons": ["mounts changed (restart)"]}
    assert engine.read("web", "cat /run/secret; tr '\\0' '\\n' </proc/1/environ | grep ^A") == "twoA=2"


@pytest.mark.parametrize("option,kind", [("network_mode", "net"), ("ipc_mode", "ipc")])
def test_whose_namespace_is_shared_is_a_name_whoever_has_it_now(engine: enginelab.Engine, option: str, kind: str) -> None:
    task = {"network_mode": "none", option: "container:db"}

    def space(name: str) -> str:
        number = pid(engine, name)
        return str(engine.lab.run(lambda: os.readlink("/proc/%d/ns/%s" % (number, kind))))
    run(engine, name="db")
    run(engine, **task)
    run(engine, name="db", restart=True)
    with pytest.raises(Exception, match="on_change: live_only forbids to restart it for container db, whose .* it shares, has been started"):
        run(engine, **task, on_change="live_only")
    found = run(engine, **task)
    assert found.plan["action"] == "restart" and len(found.plan["reasons"]) == 1
    assert space("web") == space("db")
    run(engine, name="db", state="stopped")
    run(engine, **task, state="stopped")

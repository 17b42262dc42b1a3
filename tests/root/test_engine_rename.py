# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker rename`: what goes with the name, what stands in the way, and what becomes of one that is killed."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, renaming
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import clilab, enginelab, netlab

pytestmark = pytest.mark.root

# Before each of them something is done already, or nothing is.
POINTS = ("storage.records.write", "storage.volumes.save", "network.leases.save", "kernel.fs.fsync_dir", "storage.records.remove")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return clilab.packed(tmp_path_factory.mktemp("cli"))


def make(engine, name="web", **said):
    """One that has run, with an address, a file of its own and a volume without a name."""
    engine.start(name, mounts=(Mount("volume", "", "/data"),), stop_timeout=0, **said)
    engine.read(name, "echo mine > /data/kept; echo mine > /kept")
    address = engine.find(name)["NetworkSettings"]["IPAddress"]
    engine.ensure(name, state="stopped")
    return address


def rename(engine, old, new, before=lambda: None):
    def run():
        host = open_host(engine.home, dry_run=False)
        before()
        with enginelab.plain_errors():
            renaming.rename(host, old, new)
    return engine.lab.run(run)


def is_whole(engine, name, address, **said):
    """It runs with all that it had, nothing of it has another name, and a task that says the same finds nothing to do."""
    engine.start(name, mounts=(Mount("volume", "", "/data"),), stop_timeout=0, **said)
    assert engine.read(name, "cat /data/kept /kept") == "mine\nmine"
    assert engine.find(name)["NetworkSettings"]["IPAddress"] == address
    assert not engine.start(name, mounts=(Mount("volume", "", "/data"),), stop_timeout=0, **said).changed
    [volume] = engine.layout.volume_names()
    assert volume.startswith(name + ".") and engine.layout.container_names() == [name]
    assert [path for path in engine.files()["home"] if "intents/" in path] == []
    engine.ensure(name, state="absent")
    engine.volume(volume, "absent")


def test_all_that_it_has_goes_with_it(engine, command):
    cocker = clilab.Cocker(engine, command)
    address = make(engine, published_ports=["18080:8080"])
    assert cocker("rename", "web", "shop") == (0, "web\n", "")
    assert cocker("ps", "-aq")[1] == "shop\n" and "mine" not in cocker("inspect", "web")[1]
    assert cocker("rename", "web", "shop")[0] == 1
    is_whole(engine, "shop", address, published_ports=["18080:8080"])


def test_what_runs_or_is_needed_keeps_its_name(engine):
    engine.start("web", network_mode="none", stop_timeout=0)
    with pytest.raises(Conflict, match="running"):
        rename(engine, "web", "shop")
    engine.ensure("web", state="stopped")
    engine.start("other", state="present", network_mode="container:web")
    with pytest.raises(Conflict, match="container other names it in network_mode"):
        rename(engine, "web", "shop")
    with pytest.raises(Conflict, match="there is a container web"):
        rename(engine, "other", "web")
    with pytest.raises(Conflict, match="that is its name"):
        rename(engine, "web", "web")
    with pytest.raises(NotFound):
        rename(engine, "shop", "web2")
    assert engine.layout.container_names() == ["other", "web"]
    engine.ensure("other", state="absent")


@pytest.mark.parametrize("option", ["network_mode", "ipc_mode", "pid_mode"])
def test_one_whose_namespaces_another_uses_keeps_its_name(engine, option):
    engine.start("web", state="present", network_mode="none")
    engine.start("other", state="present", **{"network_mode": "none", option: "container:web"})
    with pytest.raises(Conflict, match="container other names it in %s" % option):
        rename(engine, "web", "shop")
    engine.ensure("other", state="absent")


def test_a_volume_that_a_former_one_has_left_is_not_taken(engine):
    make(engine, "shop")
    engine.ensure("shop", state="absent")
    address = make(engine)
    with pytest.raises(Conflict, match="there is a volume shop"):
        rename(engine, "web", "shop")
    [left] = [name for name in engine.layout.volume_names() if name.startswith("shop.")]
    engine.volume(left, "absent")
    is_whole(engine, "web", address)


@pytest.mark.parametrize("point", POINTS[:4])
def test_one_that_fails_changes_nothing(engine, point):
    address = make(engine)
    with pytest.raises(OSError, match="made to fail"):
        rename(engine, "web", "shop", before=enginelab.failing(point, after=True))
    is_whole(engine, "web", address)


@pytest.mark.parametrize("point", POINTS)
def test_one_that_is_killed_is_done_or_was_not_begun(engine, point):
    old, new = ("web", "shop") if len(point) % 2 else ("a", "b")
    address = make(engine, old)
    with pytest.raises(netlab.LabError, match="died without an answer"):
        rename(engine, old, new, before=enginelab.dying(point))
    engine.lab.run(lambda: open_host(engine.home, dry_run=False))
    [name] = engine.layout.container_names()
    assert name in (old, new) and engine.run(lambda host: observe.container(host, name)).record.spec.name == name
    is_whole(engine, name, address)

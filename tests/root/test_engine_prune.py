# SPDX-License-Identifier: GPL-3.0-or-later
"""cocker_prune: what check mode says is what goes, to the byte; what is needed stays; a kill anywhere does no harm."""
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import images, prune
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import Filters, PruneWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

ALL = PruneWish(containers=True, images=True, networks=True, volumes=True, litter=True, images_filters=Filters(dangling=False))


@pytest.fixture
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    """Each test may lose the images of the store; a container that keeps them is always there."""
    with enginelab.clean(lab):
        lab.start("keeper", images=("box", "top"), network_mode="none")
        yield lab
        lab.remove_all()


def run(engine: enginelab.Engine, wish: PruneWish, *, check: bool = False, before: t.Any = lambda: None) -> t.Any:
    def inner() -> t.Any:
        before()
        return prune.ensure(open_host(engine.home, dry_run=check), wish)
    return engine.lab.run(inner)


def image(engine: enginelab.Engine, name: str, **said: t.Any) -> t.Any:
    return engine.lab.run(lambda: images.ensure(open_host(engine.home, dry_run=False), ImageWish(name, **said)))


def waste(engine: enginelab.Engine, top: t.Any) -> None:
    """A container that ended, an image of its own, a network, a volume, litter; and what is needed beside them."""
    os.makedirs(str(top / "tree"), exist_ok=True)
    (top / "tree" / "file").write_bytes(os.urandom(300000))
    image(engine, "idle", version="1", source="directory", path=str(top / "tree"))
    engine.network("n1", subnet="10.66.7.0/24")
    engine.volume("v1")
    engine.start("ended", command=("/bin/sh", "-c", "echo > /written"), network_mode="none")
    engine.ensure("ended", state="stopped")
    image(engine, "app", source="container", from_container="ended")
    os.makedirs(os.path.join(engine.layout.layers, ".tmp-0123456789abcdef", "diff"))
    with open(os.path.join(engine.layout.layers, ".tmp-0123456789abcdef", "diff", "x"), "w") as file:
        file.write("x" * 5000)


def test_what_is_foreseen_goes_and_nothing_else(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    waste(engine, tmp_path)
    before, counted = fs.disk_usage(engine.home), occupied(engine)
    foreseen = run(engine, ALL, check=True)
    assert fs.disk_usage(engine.home) == before
    done = run(engine, ALL)
    assert (done.actions, done.plan, done.diff, done.result) == (foreseen.actions, foreseen.plan, foreseen.diff, foreseen.result)
    assert done.result["containers"] == ["ended"]
    assert done.result["images"] == ["app:_", "idle:1"]
    assert (done.result["networks"], done.result["volumes"], len(done.result["layers"])) == (["n1"], ["v1"], 2)
    assert [os.path.basename(path) for path in done.result["litter"]] == [".tmp-0123456789abcdef"]
    assert done.result["images_space_reclaimed"] > 300000
    assert done.result["space_reclaimed"] == counted - occupied(engine)
    again = run(engine, ALL)
    assert (again.changed, again.actions, again.result["space_reclaimed"]) == (False, [], 0)
    assert engine.layout.image_names() == ["box", "top"]
    assert engine.read("keeper", "cat /www/index.html") == "hello"


def occupied(engine: enginelab.Engine) -> int:
    """By what is counted: containers, layers and volumes, with litter. Records of images, networks and leases are not."""
    return sum(fs.disk_usage(path) for path in (engine.layout.containers, engine.layout.layers, engine.layout.volumes))


def test_only_what_is_asked_for_goes(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    waste(engine, tmp_path)
    assert run(engine, PruneWish(images=True)).result["images"] == []
    assert run(engine, PruneWish(containers=True, containers_filters=Filters(until="2000-01-01T00:00:00Z"))).changed is False
    found = run(engine, PruneWish(volumes=True))
    assert (found.result["volumes"], found.result["containers"]) == (["v1"], [])
    assert run(engine, PruneWish(images=True, images_filters=Filters(dangling=False))).result["images"] == ["app:_", "idle:1"]
    assert engine.find("ended") is not None
    run(engine, ALL)


def test_an_unreadable_record_stops_everything(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    waste(engine, tmp_path)
    with open(engine.layout.spec("ended"), "r+") as file:
        file.write("x")
    with pytest.raises(Damaged, match="ended"):
        run(engine, ALL)
    assert "idle" in engine.layout.image_names()
    engine.ensure("ended", state="absent")
    run(engine, ALL)


@pytest.mark.parametrize("point", ["storage.images.remove", "storage.layers.remove", "engine.teardown.remove", "kernel.fs.remove_tree",
                                   "storage.records.remove"])
def test_a_kill_anywhere_is_made_good_by_the_next(engine: enginelab.Engine, tmp_path: t.Any, point: str) -> None:
    for nth, after in ((1, False), (1, True)) if point == "engine.teardown.remove" else ((1, False), (2, False), (1, True)):
        waste(engine, tmp_path)
        with pytest.raises(Exception, match="died without an answer"):
            run(engine, ALL, before=enginelab.dying(point, nth=nth, after=after))
        assert engine.read("keeper", "cat /www/index.html") == "hello", (point, nth)
        run(engine, ALL)
        assert not run(engine, ALL).changed
        assert engine.layout.image_names() == ["box", "top"]
        assert sorted(os.listdir(engine.layout.layers)) == ["base", "top"]
        assert engine.layout.container_names() == ["keeper"]
        assert os.listdir(engine.layout.intents) == []


def test_engines_that_nothing_runs_with_go(engine: enginelab.Engine) -> None:
    old = os.path.join(engine.layout.engine, "0123456789abcdef")
    os.makedirs(old)
    os.symlink("0123456789abcdef", os.path.join(engine.layout.engine, ".known-old"))
    foreseen = run(engine, PruneWish(engines=True), check=True)
    done = run(engine, PruneWish(engines=True))
    assert (done.result["engines"], done.actions) == ([old], foreseen.actions)
    assert not os.path.lexists(os.path.join(engine.layout.engine, ".known-old"))
    assert not run(engine, PruneWish(engines=True)).changed
    engine.ensure("keeper", restart=True)
    assert engine.read("keeper", "cat /www/index.html") == "hello"

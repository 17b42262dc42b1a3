# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers become images and images containers: what each then holds, at what cost, and what a kill in between leaves."""
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

WRITE = "echo mine > /kept; rm /www/index.html; rm -r /root; mkdir /root; echo new > /root/new; chmod 700 /etc"
READ = "cat /kept /root/new; ls /www; stat -c %a /etc; ls -A /root"
HOLDS = "mine\nnew\n700\nnew"


@pytest.fixture
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab):
        yield lab
        lab.remove_all()
        for version in lab.layout.image_versions("app"):
            image(lab, "app", version=None if version == "_" else version, state="absent")
    assert sorted(os.listdir(lab.layout.layers)) == ["base", "top"]


def image(engine: enginelab.Engine, name: str = "app", *, check: bool = False, before: t.Any = lambda: None, **said: t.Any) -> t.Any:
    def run() -> t.Any:
        before()
        with enginelab.plain_errors():
            return images.ensure(open_host(engine.home, dry_run=check), ImageWish(name, **said))
    return engine.lab.run(run)


def commit(engine: enginelab.Engine, **said: t.Any) -> t.Any:
    return image(engine, **{"version": "1", "source": "container", "from_container": "web", **said})


def write(engine: enginelab.Engine, *, running: bool, **said: t.Any) -> None:
    engine.start(network_mode="none", **said)
    engine.read("web", WRITE)
    if not running:
        engine.ensure("web", state="stopped")


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_commit_keeps_both_and_a_second_one_has_nothing_to_do(engine: enginelab.Engine, running: bool) -> None:
    write(engine, running=running, env={"A": "1"})
    foreseen = commit(engine, check=True)
    assert engine.layout.image_versions("app") == []
    made = commit(engine)
    assert (made.actions, made.plan, made.diff) == (foreseen.actions, foreseen.plan, foreseen.diff)
    assert (made.plan["action"], made.result["image"]["RootFS"]["Layers"][0]) == ("commit", "base")
    assert "A=1" in made.result["image"]["Config"]["Env"] and made.result["image"]["Config"]["Cmd"] == list(enginelab.SLEEP)
    assert not commit(engine).changed
    assert not commit(engine, check=True).changed
    engine.start("copy", images=("app",), network_mode="none")
    assert engine.read("copy", READ) == HOLDS
    engine.ensure("web", state="started")
    assert engine.read("web", READ) == HOLDS
    assert not commit(engine).changed
    engine.read("web", "echo more > /more")
    assert commit(engine).plan["action"] == "replace"
    assert not commit(engine).changed
    engine.ensure("web", state="stopped")
    assert not commit(engine).changed                   # what was copied is what it holds
    assert engine.exec("copy", "/bin/ls", "/more")["rc"] == 1


def test_a_commit_of_a_stopped_container_moves_nothing(engine: enginelab.Engine) -> None:
    write(engine, running=False)
    kept = os.stat(os.path.join(engine.layout.container("web"), "upper/kept")).st_ino
    layer = commit(engine).result["image"]["RootFS"]["Layers"][-1]
    assert os.stat(os.path.join(engine.layout.diff(layer), "kept")).st_ino == kept
    assert os.listdir(os.path.join(engine.layout.container("web"), "upper")) == []


def test_a_container_that_is_committed_runs_on_and_stays_paused_if_it_was(engine: enginelab.Engine) -> None:
    write(engine, running=True)
    pid = engine.state("web")["Pid"]
    commit(engine)
    assert (engine.state("web")["Pid"], engine.state("web")["Status"]) == (pid, "running")
    engine.read("web", "echo more > /more")
    engine.ensure("web", state="paused")
    assert commit(engine).changed
    assert engine.state("web")["Status"] == "paused"


def test_the_top_alone_is_for_stacking(engine: enginelab.Engine) -> None:
    write(engine, running=False)
    made = commit(engine, layers="top")
    assert len(made.result["image"]["RootFS"]["Layers"]) == 1
    assert not commit(engine, layers="top").changed
    engine.start("copy", images=("box", "app"), network_mode="none")
    assert engine.read("copy", READ) == HOLDS
    assert commit(engine, layers="chain").plan["action"] == "replace"


def test_each_layer_has_a_line_of_history(engine: enginelab.Engine) -> None:
    write(engine, running=False)
    commit(engine, config={"author": "me"})
    engine.ensure("web", state="started")
    engine.read("web", "echo more > /more")
    engine.ensure("web", state="stopped")
    made = commit(engine, version="2")
    from ansible_collections.cocker.engine.plugins.module_utils.storage import images as store
    found = store.get(engine.layout, "app", "2")
    assert [line.created_by for line in found.history] == ["box:1", "container web", "container web"]
    assert len(made.result["image"]["RootFS"]["Layers"]) == 3
    assert commit(engine, config={"author": "you", "cmd": ("/bin/date",)}, version="2").plan["action"] == "configure"


def test_a_move_leaves_the_image_alone(engine: enginelab.Engine) -> None:
    write(engine, running=True)
    with pytest.raises(Conflict, match="move container web: it runs"):
        commit(engine, mode="move")
    engine.ensure("web", state="stopped")
    foreseen = commit(engine, mode="move", check=True)
    made = commit(engine, mode="move")
    assert (made.actions, made.plan) == (foreseen.actions, foreseen.plan)
    assert [action["action"] for action in made.actions] == ["move", "remove"]
    assert engine.find("web") is None
    assert not commit(engine, mode="move").changed
    engine.start("copy", images=("app",), network_mode="none")
    assert engine.read("copy", READ) == HOLDS


def test_a_move_replaces_by_force_only(engine: enginelab.Engine) -> None:
    image(engine, version="1", source="image", from_image="top")
    write(engine, running=False)
    with pytest.raises(Conflict, match="the image app:1 exists already"):
        commit(engine, mode="move")
    assert commit(engine, mode="move", force=True).changed
    assert engine.find("web") is None


def test_a_container_that_never_was_is_neither_committed_nor_moved(engine: enginelab.Engine) -> None:
    for mode in ("commit", "move"):
        with pytest.raises(NotFound, match="container web: it does not exist"):
            commit(engine, mode=mode)


def test_an_image_becomes_a_container_and_goes_back_to_its_version(engine: enginelab.Engine) -> None:
    write(engine, running=False)
    commit(engine, version="1.5", mode="move", layers="top")
    said = {"images": ("box",), "from_image": "app", "network_mode": "none", "command": enginelab.SLEEP}
    foreseen = engine.ensure("other", check=True, **said)
    made = engine.ensure("other", **said)
    assert made.actions == foreseen.actions
    assert [action["action"] for action in made.actions] == ["create", "start", "consume_image"]
    assert engine.layout.image_versions("app") == []
    assert not engine.ensure("other", **said).changed
    assert engine.read("other", READ) == HOLDS
    engine.ensure("other", recreate=True)
    assert engine.read("other", READ) == HOLDS          # it was made with that
    engine.ensure("other", state="stopped")
    back = image(engine, source="container", from_container="other", mode="move", layers="top")
    assert back.result["image"]["RepoTags"] == ["app:1.5"]
    assert not image(engine, source="container", from_container="other", mode="move", layers="top").changed


def test_a_container_of_an_image_alone(engine: enginelab.Engine) -> None:
    image(engine, version="1", source="image", from_image="box", config={"cmd": enginelab.SLEEP})
    engine.ensure("flat", images=(), from_image="app:1", network_mode="none")
    assert engine.read("flat", "cat /www/index.html; echo $FROM") == "hello\nimage"
    assert engine.find("flat")["Config"]["Image"] == "app:1"


def test_an_image_that_others_need_does_not_become_a_container(engine: enginelab.Engine) -> None:
    with pytest.raises(NotFound, match="image app: it is not in the store"):
        engine.ensure("flat", images=(), from_image="app")
    image(engine, version="1", source="image", from_image="box")
    engine.start(images=("app",), state="present")
    with pytest.raises(Conflict, match="make a container of image app:1: containers are made of it: web"):
        engine.ensure("flat", images=(), from_image="app")
    assert engine.find("flat") is None


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_clone_has_what_the_other_has_and_goes_its_own_way(engine: enginelab.Engine, running: bool) -> None:
    write(engine, running=running, env={"A": "1"}, hostname="one")
    foreseen = engine.ensure("clone", from_container="web", env={"A": "2"}, check=True)
    made = engine.ensure("clone", from_container="web", env={"A": "2"})
    assert (made.actions, made.diff) == (foreseen.actions, foreseen.diff)
    assert engine.read("clone", READ + "; echo $A; hostname") == HOLDS + "\n2\nclone"
    assert not engine.ensure("clone", from_container="web", env={"A": "2"}).changed
    engine.read("clone", "echo other > /kept")
    engine.ensure("web", state="started")
    assert engine.read("web", READ) == HOLDS
    engine.ensure("web", state="absent")
    assert engine.read("clone", "cat /kept /root/new; ls /www") == "other\nnew"
    engine.ensure("clone", state="absent")
    assert sorted(os.listdir(engine.layout.layers)) == ["base", "top"]
    with pytest.raises(NotFound, match="container web: it does not exist"):
        engine.ensure("clone2", from_container="web")


def test_a_failed_commit_leaves_everything_as_it_was(engine: enginelab.Engine) -> None:
    write(engine, running=False)
    before = engine.files()
    for point in ("storage.images.save", "storage.rotation.rotate", "engine.container_layers.rotate", "storage.snapshots.make_upper"):
        for after in (False, True):
            with pytest.raises(OSError, match="made to fail"):
                commit(engine, before=enginelab.failing(point, after=after))
            assert engine.files() == before, (point, after)
            assert engine.layout.image_versions("app") == []
            assert sorted(os.listdir(engine.layout.layers)) == ["base", "top"], (point, after)
    assert commit(engine).changed


POINTS = ("storage.records.write", "kernel.fs.fsync_dir", "kernel.fs.write_atomic", "os.rename", "os.mkdir", "kernel.fs.remove_tree",
          "storage.records.remove", "storage.images.save")


@pytest.mark.parametrize("mode", ["commit", "move"])
def test_a_commit_that_is_killed_anywhere_loses_nothing(engine: enginelab.Engine, mode: str) -> None:
    reached = 0
    for point in POINTS:
        for nth in range(1, 12, 3):
            write(engine, running=False)
            if not killed(engine, lambda before: commit(engine, mode=mode, before=before), point, nth):
                clear(engine)
                break
            reached += 1
            if reached % 3 == 0:        # somebody else's task comes first
                image(engine, "app", version="9", source="image", from_image="top")
            if mode == "commit":
                engine.ensure("web", state="started")
                assert engine.read("web", READ) == HOLDS, (point, nth)
                engine.ensure("web", state="stopped")
            commit(engine, mode=mode)
            assert not commit(engine, mode=mode).changed, (point, nth)
            engine.start("copy", images=("app:1",), network_mode="none")
            assert engine.read("copy", READ) == HOLDS, (point, nth)
            clear(engine)
    assert reached > 10


def killed(engine: enginelab.Engine, operation: t.Callable[[t.Any], t.Any], point: str, nth: int) -> bool:
    before = _dying_os(point[3:], nth) if point.startswith("os.") else enginelab.dying(point, nth=nth)
    try:
        operation(before)
    except Exception as error:
        assert "died without an answer" in str(error)
        return True
    return False


def _dying_os(name: str, nth: int) -> t.Callable[[], None]:
    def patch() -> None:
        real, calls = getattr(os, name), [0]

        def deadly(*args: t.Any, **named: t.Any) -> t.Any:
            calls[0] += 1
            if calls[0] == nth:
                os.kill(os.getpid(), 9)
            return real(*args, **named)
        setattr(os, name, deadly)
    return patch


def clear(engine: enginelab.Engine) -> None:
    engine.remove_all()
    for version in engine.layout.image_versions("app"):
        image(engine, version=version, state="absent")
    assert sorted(os.listdir(engine.layout.layers)) == ["base", "top"]
    assert os.listdir(engine.layout.intents) == []


def test_a_commit_of_a_running_container_that_is_killed_lets_it_go_on(engine: enginelab.Engine) -> None:
    write(engine, running=True)
    for point in ("storage.treecopy.copy_tree", "storage.layers.Staging.commit", "storage.images.save", "storage.records.remove"):
        assert killed(engine, lambda before: commit(engine, before=before), point, 1)
        assert engine.lab.run(lambda: open_host(engine.home, dry_run=False)) is not None
        assert engine.read("web", READ) == HOLDS, point
    assert commit(engine).changed
    assert not commit(engine).changed


def test_a_conversion_that_is_killed_anywhere_loses_nothing(engine: enginelab.Engine) -> None:
    said: t.Dict[str, t.Any] = {"images": (), "from_image": "app", "network_mode": "none", "command": enginelab.SLEEP}
    for point in ("storage.snapshots.create", "storage.images.remove", "storage.records.remove", "runtime.launcher.Launcher.start"):
        for nth, after in ((1, False), (1, True)):
            image(engine, version="1", source="image", from_image="box")
            with pytest.raises(Exception, match="died without an answer"):
                engine.ensure("flat", before=enginelab.dying(point, nth=nth, after=after), **said)
            engine.ensure("flat", **said)
            assert engine.read("flat", "cat /www/index.html") == "hello", (point, after)
            assert engine.layout.image_versions("app") == [], (point, after)
            clear(engine)


def test_a_clone_that_is_killed_anywhere_harms_neither(engine: enginelab.Engine) -> None:
    for point, nth in (("os.rename", 1), ("os.rename", 3), ("os.rename", 5), ("storage.snapshots.create", 1), ("storage.records.write", 4)):
        write(engine, running=False)
        assert killed(engine, lambda before: engine.ensure("clone", from_container="web", before=before), point, nth), (point, nth)
        engine.ensure("clone", from_container="web")
        assert engine.read("clone", READ) == HOLDS, (point, nth)
        engine.ensure("web", state="started")
        assert engine.read("web", READ) == HOLDS, (point, nth)
        clear(engine)


def test_the_record_says_what_is_below(engine: enginelab.Engine) -> None:
    write(engine, running=False)
    commit(engine)
    record = records.load(engine.layout.spec("web"), lambda value: value)
    assert record is not None and record["born"] == 0 and len(record["layers"]) == 1
    assert not engine.lab.run(lambda: containers.ensure(
        open_host(engine.home, dry_run=False), enginelab.wish("web", state="stopped"))).changed

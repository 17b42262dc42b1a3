# SPDX-License-Identifier: GPL-3.0-or-later
"""An image under other versions and names, and what it says about running it: all idempotent, foreseen by check mode, O(1)."""
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab):
        yield lab
        lab.remove_all()
        for name in ("app", "small"):
            for version in lab.layout.image_versions(name):
                image(lab, name, version=None if version == "_" else version, state="absent")


def image(engine: enginelab.Engine, name: str, *, check: bool = False, **said: t.Any) -> t.Any:
    return engine.lab.run(lambda: images.ensure(open_host(engine.home, dry_run=check), ImageWish(name, **said)))


def copy(engine: enginelab.Engine, name: str = "app", version: t.Optional[str] = "1.0", **said: t.Any) -> t.Any:
    return image(engine, name, version=version, source="image", from_image="box:1", **said)


def versions(engine: enginelab.Engine, name: str = "app") -> t.List[str]:
    return engine.layout.image_versions(name)


def test_a_copy_shares_its_layers_and_is_made_once(engine: enginelab.Engine) -> None:
    foreseen = copy(engine, check=True)
    assert versions(engine) == []
    made = copy(engine)
    assert (made.changed, made.actions, made.diff) == (True, foreseen.actions, foreseen.diff)
    assert made.result["image"]["RootFS"]["Layers"] == ["base"]
    assert made.result["image"]["Config"]["Labels"] == {"of": "image"}
    assert not copy(engine).changed
    assert not copy(engine, check=True).changed


def test_a_copy_survives_the_image_that_it_was_made_from(engine: enginelab.Engine) -> None:
    copy(engine)
    image(engine, "small", source="image", from_image="app")
    image(engine, "app", version="1.0", state="absent")
    engine.start(images=("small",))
    assert engine.read("web", "cat /www/index.html") == "hello"


def test_a_copy_of_another_image_replaces_the_former(engine: enginelab.Engine) -> None:
    copy(engine)
    replaced = image(engine, "app", version="1.0", source="image", from_image="top")
    assert replaced.plan["action"] == "replace"
    assert replaced.result["image"]["RootFS"]["Layers"] == ["top"]


def test_a_copy_of_nothing_is_refused(engine: enginelab.Engine) -> None:
    with pytest.raises(NotFound, match="image nothing: it is not in the store"):
        image(engine, "app", source="image", from_image="nothing")


@pytest.mark.parametrize(("old", "new"), [("1.0", "2.0"), ("1.0", "_"), (None, "1.0")], ids=["another", "to none", "from none"])
def test_an_image_gets_another_version(engine: enginelab.Engine, old: t.Optional[str], new: str) -> None:
    copy(engine, version=old)
    foreseen = image(engine, "app", version=old, new_version=new, check=True)
    assert versions(engine) == [old or "_"]
    done = image(engine, "app", version=old, new_version=new)
    assert (done.actions, done.plan, done.diff) == (foreseen.actions, foreseen.plan, foreseen.diff)
    assert done.diff == {"before": {"version": old or "_"}, "after": {"version": new}}
    assert versions(engine) == [new]
    assert done.result["image"]["RepoTags"] == ["app" if new == "_" else "app:" + new]
    assert not image(engine, "app", version=old, new_version=new).changed


def test_a_version_that_exists_is_replaced_by_force_only(engine: enginelab.Engine) -> None:
    copy(engine, version="1.0")
    image(engine, "app", version="2.0", source="image", from_image="top")
    with pytest.raises(Conflict, match="rename image app:1.0: app:2.0 exists already .force: true"):
        image(engine, "app", version="1.0", new_version="2.0")
    assert versions(engine) == ["1.0", "2.0"]
    assert image(engine, "app", version="1.0", new_version="2.0", force=True).changed
    assert versions(engine) == ["2.0"]
    assert image(engine, "app", version="2.0").result["image"]["RootFS"]["Layers"] == ["base"]


def test_a_version_that_a_container_needs_is_not_replaced(engine: enginelab.Engine) -> None:
    copy(engine, version="1.0")
    image(engine, "app", version="2.0", source="image", from_image="top")
    engine.start(images=("box", "app:2.0"), state="present")
    with pytest.raises(Conflict, match="replace image app:2.0: containers are made of it: web"):
        image(engine, "app", version="1.0", new_version="2.0", force=True)


def test_what_is_not_there_gets_no_version(engine: enginelab.Engine) -> None:
    with pytest.raises(NotFound, match="image app:1: it is not in the store, and neither is app:2"):
        image(engine, "app", version="1", new_version="2")


def test_containers_keep_an_image_that_got_another_version(engine: enginelab.Engine) -> None:
    copy(engine)
    engine.start(images=("app:1.0",))
    engine.read("web", "echo mine > /kept")
    image(engine, "app", version="1.0", new_version="2.0")
    assert not engine.start(images=("app:1.0",)).changed
    assert engine.start(images=("app:1.0",), restart=True).changed
    with pytest.raises(Conflict, match="containers are made of it: web"):
        image(engine, "app", version="2.0", state="absent")
    copy(engine, version="3.0")         # the same layers, but not what it is made of
    image(engine, "app", version="2.0", new_version="1.0")
    assert image(engine, "app", version="3.0", state="absent").changed
    assert engine.read("web", "cat /kept") == "mine"


def test_a_rename_that_is_killed_is_not_done_or_done(engine: enginelab.Engine) -> None:
    for point in ("kernel.fs.fsync_dir", "os.rename"):
        copy(engine)
        with pytest.raises(Exception, match="died without an answer"):
            engine.lab.run(lambda point=point: (
                (enginelab.dying(point) if point.startswith("kernel") else _dying_rename)(),
                images.ensure(open_host(engine.home, dry_run=False), ImageWish("app", "1.0", new_version="2.0"))))
        assert len(versions(engine)) == 1
        image(engine, "app", version="1.0", new_version="2.0")
        assert versions(engine) == ["2.0"]
        image(engine, "app", version="2.0", state="absent")


def _dying_rename() -> None:
    os.rename = lambda *args, **named: os.kill(os.getpid(), 9)  # type: ignore[assignment]


def config(engine: enginelab.Engine, **said: t.Any) -> t.Any:
    return copy(engine, config=said)


def test_the_config_is_laid_over_the_sources_and_dropped_again(engine: enginelab.Engine) -> None:
    said = {"cmd": ("/bin/date",), "env": {"A": "1", "FROM": None}, "labels": {"b": "c"}, "user": "web", "author": "me"}
    made = config(engine, **said).result["image"]
    assert made["Config"] == {"Cmd": ["/bin/date"], "Env": ["PATH=/bin", "A=1"], "Labels": {"of": "image", "b": "c"}, "User": "web"}
    assert made["Author"] == "me"
    assert not config(engine, **said).changed
    back = config(engine)
    assert back.changed
    assert back.result["image"]["Config"] == {"Env": ["PATH=/bin", "FROM=image"], "Labels": {"of": "image"}}


def test_the_config_of_an_image_in_the_store_is_changed_alone(engine: enginelab.Engine) -> None:
    copy(engine)
    foreseen = image(engine, "app", version="1.0", config={"user": "web"}, check=True)
    done = image(engine, "app", version="1.0", config={"user": "web"})
    assert (done.plan, done.diff) == (foreseen.plan, foreseen.diff)
    assert (done.plan["action"], done.diff) == ("configure", {"before": {"user": ""}, "after": {"user": "web"}})
    assert not image(engine, "app", version="1.0", config={"user": "web"}).changed
    assert not image(engine, "app", version="1.0").changed


def test_a_config_that_changes_brings_no_content_again(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    (tmp_path / "etc").mkdir()
    first = image(engine, "small", source="directory", path=str(tmp_path), config={"cmd": ("a",)}).result["image"]
    second = image(engine, "small", source="directory", path=str(tmp_path), config={"cmd": ("b",)})
    assert [action["action"] for action in second.actions] == ["configure"]
    assert second.result["image"]["RootFS"] == first["RootFS"]
    assert image(engine, "small", source="directory", path=str(tmp_path)).result["image"]["Config"] == {}


def test_an_entry_point_of_the_task_does_not_go_with_the_sources_command(engine: enginelab.Engine) -> None:
    image(engine, "app", version="1.0", source="image", from_image="top", config={"entrypoint": ("/bin/sh",)})
    assert image(engine, "app", version="1.0").result["image"]["Config"] == {"Entrypoint": ["/bin/sh"]}
    image(engine, "app", version="1.0", source="image", from_image="top", config={"entrypoint": ("/bin/sh",), "cmd": ("-c", "date")})
    assert image(engine, "app", version="1.0").result["image"]["Config"] == {"Entrypoint": ["/bin/sh"], "Cmd": ["-c", "date"]}


def test_the_same_content_under_another_name_costs_nothing_of_what_was_written(engine: enginelab.Engine) -> None:
    copy(engine)
    engine.start(images=("app:1.0",))
    engine.read("web", "echo mine > /kept")
    image(engine, "app", version="1.0", new_version="2.0")
    renamed = engine.start(images=("app:2.0",))
    assert (renamed.plan["action"], [action["action"] for action in renamed.actions]) == ("update", ["update"])
    assert renamed.result["container"]["Cocker"]["Images"][0]["version"] == "2.0"
    assert engine.read("web", "cat /kept") == "mine"
    assert not engine.start(images=("app:2.0",)).changed
    copy(engine, version="3.0", config={"env": {"FROM": "task"}})
    assert engine.start(images=("app:3.0",)).plan["action"] == "restart"
    assert engine.read("web", "cat /kept; echo $FROM") == "mine\ntask"
    image(engine, "app", version="4.0", source="image", from_image="top")
    assert engine.start(images=("box", "app:4.0")).plan["action"] == "recreate"
    assert engine.exec("web", "/bin/cat", "/kept")["rc"] == 1


def test_a_version_that_has_become_another_image_is_told_apart(engine: enginelab.Engine) -> None:
    copy(engine, version="1")
    engine.start(images=("app:1",))
    copy(engine, version="1", config={"env": {"FROM": "new"}}, force=True)
    done = engine.start(images=("app:1",), repin=True)
    assert done.plan["action"] == "restart" and done.diff["before"] != done.diff["after"]
    image(engine, "app", version="1", source="image", from_image="top", force=True)
    done = engine.ensure("web", repin=True, state="stopped")
    assert done.plan["action"] == "recreate" and done.diff["before"]["images"][0] != done.diff["after"]["images"][0]
    assert not engine.ensure("web", repin=True, state="stopped").changed


def test_images_are_pinned_until_they_are_wanted_anew(engine: enginelab.Engine) -> None:
    copy(engine, version="1.9")
    engine.start(images=("app",))
    image(engine, "app", version="1.10", source="image", from_image="box", config={"env": {"FROM": "new"}})
    assert not engine.start(images=("app",)).changed
    foreseen = engine.start(images=("app",), repin=True, check=True)
    done = engine.start(images=("app",), repin=True)
    assert (done.actions, done.plan, done.diff) == (foreseen.actions, foreseen.plan, foreseen.diff)
    assert done.diff["before"]["images"] == ["app:1.9"] and done.diff["after"]["images"] == ["app:1.10"]
    assert (done.plan["action"], engine.read("web", "echo $FROM")) == ("restart", "new")
    assert not engine.start(images=("app",), repin=True).changed
    image(engine, "app", version="2.0", source="image", from_image="top")
    assert engine.ensure("web", repin=True, state="stopped").plan["action"] == "recreate"      # a task that names no images, too
    image(engine, "app", version="2.0", new_version="0.1")
    assert not engine.ensure("web", state="stopped").changed

# SPDX-License-Identifier: GPL-3.0-or-later
"""What images cost, who needs them, whether they are whole, what does not go together; and what a container has changed."""
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_info, images, info
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import ImageQuery
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery, ImageWish
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab):
        yield lab
        lab.remove_all()
        for name in ("app", "other"):
            image(lab, name, state="absent")


def image(engine: enginelab.Engine, name: str, **said: t.Any) -> t.Any:
    return engine.lab.run(lambda: images.ensure(open_host(engine.home, dry_run=False), ImageWish(name, **said)))


def look(engine: enginelab.Engine, name: t.Optional[str] = None, **said: t.Any) -> t.Any:
    return engine.lab.run(lambda: image_info.query(open_host(engine.home, dry_run=True), ImageQuery(name, **said)))


def container(engine: enginelab.Engine) -> t.Any:
    wish = ContainerQuery("web", gather=("size", "diff"))
    return engine.lab.run(lambda: info.gathered(open_host(engine.home, dry_run=True), wish))[0]["Cocker"]


def diff(engine: enginelab.Engine) -> t.List[str]:
    return sorted("%s %s" % (each["Kind"], each["Path"]) for each in container(engine)["Diff"])


def test_what_a_container_changed_is_told_whether_it_runs_or_was_committed(engine: enginelab.Engine) -> None:
    engine.start(network_mode="none")
    assert diff(engine) == []
    engine.read("web", "echo mine > /kept; rm /www/index.html; chmod 700 /tmp")
    wanted = sorted(["A /kept", "C /www", "D /www/index.html", "C /tmp"])
    assert diff(engine) == wanted
    size = container(engine)["SizeRw"]
    assert size >= len("mine\n")
    engine.ensure("web", state="stopped")
    assert diff(engine) == wanted
    image(engine, "app", source="container", from_container="web")
    assert diff(engine) == wanted
    assert container(engine)["SizeRw"] == size
    assert container(engine)["SizeRootFs"] > os.path.getsize(enginelab.BUSYBOX)


def test_an_image_tells_what_it_shares_and_who_needs_it(engine: enginelab.Engine) -> None:
    engine.start(state="present", network_mode="none")
    alone = look(engine, "box")["image"]
    assert (alone["SharedSize"], alone["UniqueSize"]) == (0, alone["Size"])
    assert alone["UsedBy"] == ["web"]
    engine.ensure("web", state="started")
    engine.read("web", "echo mine > /kept")
    image(engine, "app", source="container", from_container="web")
    app, box = look(engine, "app")["image"], look(engine, "box")["image"]
    assert app["SharedSize"] == box["Size"] == box["SharedSize"]
    assert (app["UniqueSize"], app["UsedBy"]) == (len("mine\n"), [])
    assert [line["CreatedBy"] for line in app["History"]] == ["box:1", "container web"]
    assert [line["Layer"] for line in app["History"]] == app["RootFS"]["Layers"]
    assert {shown["RepoTags"][0] for shown in look(engine)["images"]} == {"app", "box:1", "top:1"}


def test_a_damaged_layer_is_found_and_made_anew(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(name)
    said = {"source": "directory", "path": str(tmp_path)}
    layer = engine.layout.diff(image(engine, "app", **said).result["image"]["RootFS"]["Layers"][0])
    assert look(engine, "app", verify=True)["image"]["Verified"] is True
    with open(layer + "/one", "r+") as file:
        file.write("ONE")
    os.truncate(layer + "/two", 1)
    os.unlink(layer + "/three")
    with open(layer + "/four", "w"):
        pass
    found = look(engine, "app", verify=True)["image"]
    assert found["Verified"] is False
    assert [(each["Path"], each["What"]) for each in found["Damage"]] == [
        ("/four", "added"), ("/one", "changed"), ("/three", "missing"), ("/two", "changed")]
    assert not image(engine, "app", **said).changed
    image(engine, "app", force=True, **said)
    assert look(engine, "app", verify=True)["image"]["Verified"] is True


def test_what_was_never_listed_is_neither_whole_nor_damaged(engine: enginelab.Engine) -> None:
    assert look(engine, "box", verify=True)["image"]["Verified"] is None


def test_what_two_images_of_a_stack_bring_is_told(engine: enginelab.Engine, tmp_path: t.Any) -> None:
    for path in ("etc/passwd", "var/lib/dpkg/status"):
        os.makedirs(os.path.dirname(tmp_path / path), exist_ok=True)
        (tmp_path / path).write_text("x")
    image(engine, "app", source="directory", path=str(tmp_path))
    image(engine, "other", source="image", from_image="box")
    found = look(engine, stack=("box", "app", "other"))["conflicts"]
    assert found == [{"path": "/etc/passwd", "kind": "accounts", "images": ["box:1", "other", "app"], "seen": "app"}]
    assert look(engine, stack=("box", "other"))["conflicts"] == []

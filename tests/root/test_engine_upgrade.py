# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that former engines wrote: what is in them is seen, started, changed and removed by this one.

stores/ keeps one file for each form that records ever had on the disk: {"files": {path: content}}, a path with a slash at its end being an
empty directory, HOME standing for the state directory. `keep` writes one more when a record's form changes.
"""
from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import info
from ansible_collections.cocker.engine.tests.root import enginelab
from ansible_collections.cocker.engine.tests.root.test_engine_containers import fetch

pytestmark = pytest.mark.root

STORES = sorted((pathlib.Path(__file__).parent / "stores").glob("*.json"))
NOT_KEPT = {"engine", "intents", "layers"}


def keep(home: str, path: str) -> None:
    """Writes the file of a store."""
    files = {}
    for where, directories, names in os.walk(home):
        below = os.path.relpath(where, home)
        if below.split("/")[0] in NOT_KEPT:
            continue
        for name in names:
            files[os.path.normpath(os.path.join(below, name))] = pathlib.Path(where, name).read_text(encoding="utf-8").replace(home, "HOME")
        if not directories and not names:
            files[below + "/"] = ""
    pathlib.Path(path).write_text(json.dumps({"files": files}, indent=1, sort_keys=True), encoding="utf-8")


def lay(home: str, path: pathlib.Path) -> None:
    for name, content in json.loads(path.read_text(encoding="utf-8"))["files"].items():
        place = pathlib.Path(home, name)
        if name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content.replace("HOME", home), encoding="utf-8")


@pytest.fixture(params=STORES, ids=lambda path: path.stem)
def engine(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path)) as found:
        lay(found.home, request.param)
        yield found
        found.remove_all()


SAID: t.Dict[str, t.Any] = {
    "command": enginelab.SERVER, "published_ports": ["18080:8080"], "memory": 64 << 20, "pids_limit": 50, "labels": {"tier": "web"},
    "env": {"STAGE": "old"},
}


def test_a_store_of_a_former_engine(engine: enginelab.Engine) -> None:
    assert sorted(image["RepoTags"][0] for image in engine.run(info.images, None)) == ["box:1", "top:1"]
    assert engine.run(info.volumes, None)[0]["Labels"] == {"keep": "yes"}
    assert {network["Name"] for network in engine.run(info.networks, None)} == {"cocker0", "front"}
    assert engine.state("web")["Status"] == "exited" and engine.state("idle")["Status"] == "created"
    was = engine.find("web")

    started = engine.start("web", **SAID)
    assert [action["action"] for action in started.actions] == ["start"], started
    assert engine.lab.run(fetch, "127.0.0.1", 18080) == "hello\n"
    assert not engine.start("web", **SAID).changed
    now = engine.find("web")
    assert now["Id"] == was["Id"] and now["Created"] == was["Created"]

    changed = engine.start("web", **{**SAID, "memory": 32 << 20})
    assert [action["action"] for action in changed.actions] == ["update"]
    assert [action["action"] for action in engine.ensure("web", state="absent").actions] == ["stop", "remove"]
    assert [action["action"] for action in engine.ensure("idle", state="absent").actions] == ["remove"]

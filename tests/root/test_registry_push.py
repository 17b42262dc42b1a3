# SPDX-License-Identifier: GPL-3.0-or-later
"""Images into real registries: what others read, what travels, what does not."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import login
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Denied, NotFound, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import LoginWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.tests.root import netlab, ocilayout, registrylab
from ansible_collections.cocker.engine.tests.root.registrylab import LINE, PLAIN, SAFE, TOKENS, Registries
from ansible_collections.cocker.engine.tests.root.registrystore import Store, push

pytestmark = pytest.mark.root

LAYERS: t.List[t.Dict[str, t.Optional[bytes]]] = [
    {"bin/": None, "bin/app": b"#!/bin/sh\n", "gone": b"x"}, {"big": os.urandom(300_000)}, {".wh.gone": b"", "top": b"1"},
]
FILES = {"bin/app": b"#!/bin/sh\n", "big": LAYERS[1]["big"], "top": b"1"}


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Registries]:
    with netlab.Lab() as lab, registrylab.serving(lab, tmp_path_factory.mktemp("registries")) as found:
        layout = ocilayout.Layout(tmp_path_factory.mktemp("oci") / "one")
        push(found, layout.save(layout.image(LAYERS)), "source/app:1")
        yield found


@pytest.fixture
def store(registries: Registries, tmp_path: pathlib.Path) -> Store:
    registries.rules()
    return Store(registries, tmp_path / "home")


@pytest.fixture
def made(store: Store, tmp_path: pathlib.Path) -> Store:
    """An image that no registry has seen."""
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    (tmp_path / "tree" / "etc" / "name").write_bytes(os.urandom(200_000))
    store.ensure(ImageWish("app", "1", source="directory", path=str(tmp_path / "tree")))
    return store


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository of its own for each test."""
    return "t%d" % (hash(request.node.name) % 10**9)


def raw(store: Store, reference: str, *more: str) -> t.Dict[str, t.Any]:
    return t.cast(t.Dict[str, t.Any], json.loads(store.registries.skopeo("inspect", "--tls-verify=false", *more, "docker://" + reference)))


@pytest.mark.parametrize("form, media_type", [
    ("oci", "application/vnd.oci.image.manifest.v1+json"),
    ("docker", "application/vnd.docker.distribution.manifest.v2+json"),
])
def test_image_is_predicted_pushed_kept_and_read_by_skopeo(made: Store, tmp_path: pathlib.Path, name: str, form: str, media_type: str) -> None:
    target = "%s/%s:v1" % (PLAIN, name)
    before = made.everything()
    predicted = made.push(target, format=form, check=True)
    assert made.everything() == before
    done = made.push(target, format=form)
    assert (done.plan, done.actions, done.diff, done.changed) == (predicted.plan, predicted.actions, predicted.diff, True)
    assert done.result["layers_uploaded"] == 1 and done.result["bytes_uploaded"] > 200_000
    again = made.push(target, format=form)
    assert not again.changed and again.result["digest"] == done.result["digest"]
    assert not made.push(target, format=form, check=True).changed
    assert raw(made, target, "--raw")["mediaType"] == media_type
    assert raw(made, target)["Digest"] == done.result["digest"]
    made.registries.skopeo("copy", "--quiet", "--src-tls-verify=false", "docker://" + target, "oci:%s:it" % (tmp_path / "copy"))    # all digests are right


def test_what_was_pushed_is_pulled_by_another_host(made: Store, tmp_path: pathlib.Path, name: str) -> None:
    made.push("%s/%s:1" % (PLAIN, name))
    other = Store(made.registries, tmp_path / "other")
    assert other.pull("%s/%s:1" % (PLAIN, name)).changed
    assert other.tree() == made.tree()
    assert not other.push("%s/%s:1" % (PLAIN, name)).changed


def test_prediction_compares_digests_without_keeping_them(made: Store, tmp_path: pathlib.Path, name: str) -> None:
    target = "%s/%s:1" % (PLAIN, name)
    push(made.registries, "docker://%s/source/app:1" % PLAIN, "%s:1" % name, "--src-tls-verify=false")
    before = made.everything()
    predicted = made.push(target, check=True)
    assert made.everything() == before
    done = made.push(target)
    assert done.plan == {"action": "replace", "reasons": ["the registry has another image there"]}
    assert (done.diff, done.actions) == (predicted.diff, predicted.actions) and done.diff["after"]["digest"] == done.result["digest"]


def test_layers_of_the_same_registry_are_not_sent(store: Store, tmp_path: pathlib.Path, name: str) -> None:
    """Taken over from the repository that they came from, and there already for the second tag."""
    store.pull(LINE + "/source/app:1")
    store.registries.rules()
    done = store.push("%s/%s:1" % (LINE, name))
    assert (done.result["layers_uploaded"], done.result["layers_mounted"]) == (0, 3)
    second = store.push("%s/%s:2" % (LINE, name))
    assert (second.result["layers_uploaded"], second.result["layers_mounted"], second.result["digest"]) == (0, 0, done.result["digest"])
    assert sum(each[4] for each in store.registries.log()) < 10_000
    assert not store.push("%s/%s:1" % (LINE, name)).changed
    other = Store(store.registries, tmp_path / "other")
    other.pull("%s/%s:1" % (LINE, name))
    assert other.tree() == FILES


def test_layers_of_another_registry_are_written_anew(store: Store, tmp_path: pathlib.Path, name: str) -> None:
    store.pull(LINE + "/source/app:1")      # another name for the same registry is another registry
    done = store.push("%s/%s:1" % (PLAIN, name))
    assert (done.result["layers_uploaded"], done.result["layers_mounted"]) == (3, 0)
    other = Store(store.registries, tmp_path / "other")
    other.pull("%s/%s:1" % (PLAIN, name))
    assert other.tree() == FILES
    assert not store.push("%s/%s:1" % (PLAIN, name)).changed


def test_registry_that_mounts_nothing_gets_the_blobs(store: Store, name: str) -> None:
    store.pull(LINE + "/source/app:1")
    store.registries.rules(("POST", "mount=", 99, "status:404"))
    done = store.push("%s/%s:1" % (LINE, name))
    assert (done.result["layers_uploaded"], done.result["layers_mounted"]) == (3, 0)
    assert not store.push("%s/%s:1" % (LINE, name)).changed


def test_config_that_changed_is_all_that_is_sent(made: Store, name: str) -> None:
    target = "%s/%s:1" % (PLAIN, name)
    made.push(target)
    made.ensure(ImageWish("app", "1", config={"labels": {"a": "b"}}))
    done = made.push(target)
    assert done.plan["action"] == "replace" and done.result["layers_uploaded"] == 0 and done.result["bytes_uploaded"] < 2000
    assert raw(made, target)["Labels"] == {"a": "b"}


@pytest.mark.parametrize("rules", [
    [("PUT", "/blobs/", 2, "status:503")], [("PATCH", "", 2, "status:503"), ("POST", "/uploads/", 2, "status:503")],
    [("PUT", "/blobs/", 1, "cut:0")], [("HEAD", "", 3, "status:429")], [("PUT", "/manifests/", 2, "status:502")],
], ids=["busy", "busy at first", "cut off", "too many", "busy at last"])
def test_bad_line_is_overcome(made: Store, name: str, rules: t.List[t.Tuple[str, str, int, str]]) -> None:
    made.registries.rules(*rules)
    assert made.push("%s/%s:1" % (LINE, name)).changed
    assert not made.push("%s/%s:1" % (PLAIN, name)).changed


def test_what_cannot_be_sent_is_no_image(made: Store, name: str) -> None:
    made.registries.rules(("PUT", "/blobs/", 99, "status:503"))
    with pytest.raises(Unreachable, match="answers 503"):
        made.push("%s/%s:1" % (LINE, name))
    with pytest.raises(NotFound):
        made.pull("%s/%s:1" % (PLAIN, name), "other")


@pytest.mark.parametrize("registry", [SAFE, TOKENS])
def test_who_logged_in_may_push(made: Store, name: str, registry: str) -> None:
    with pytest.raises(Denied, match="cocker_login"):
        made.push("%s/%s:1" % (registry, name))
    wish = LoginWish(registry, "ann", "secret", access=made.registries.access(registry))
    made.registries.lab.run(lambda: login.ensure(open_host(made.home, dry_run=False), wish))
    assert made.push("%s/%s:1" % (registry, name)).changed
    assert not made.push("%s/%s:1" % (registry, name)).changed


def test_token_for_two_repositories_mounts(store: Store, name: str) -> None:
    push(store.registries, "docker://%s/source/app:1" % PLAIN, "source/app:1", "--src-tls-verify=false", "--dest-creds=ann:secret", to=TOKENS)
    wish = LoginWish(TOKENS, "ann", "secret", access=store.registries.access(TOKENS))
    store.registries.lab.run(lambda: login.ensure(open_host(store.home, dry_run=False), wish))
    store.pull(TOKENS + "/source/app:1")
    assert store.push("%s/%s:1" % (TOKENS, name)).result["layers_mounted"] == 3


def test_image_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound, match="image nothing:1"):
        store.push(PLAIN + "/x:1", "nothing:1")


def test_failed_push_leaves_no_file(made: Store, name: str) -> None:
    before = set(made.everything())
    made.registries.rules(("PUT", "/blobs/", 99, "status:503"))
    with pytest.raises(Unreachable):
        made.push("%s/%s:1" % (LINE, name))
    assert set(made.everything()) == before
    assert dataclasses.is_dataclass(made.push("%s/%s:1" % (PLAIN, name)))

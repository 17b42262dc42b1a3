# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from real registries, over good lines and bad ones."""
from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import login
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Denied, NotFound, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import LoginWish
from ansible_collections.cocker.engine.tests.root import netlab, ocilayout, registrylab
from ansible_collections.cocker.engine.tests.root.registrylab import LINE, PLAIN, SAFE, TOKENS, Registries
from ansible_collections.cocker.engine.tests.root.registrystore import Store, push

pytestmark = pytest.mark.root

BASE = {"bin/": None, "bin/app": b"#!/bin/sh\n", "etc/": None, "etc/name": b"base", "etc/gone": b"x"}
BIG = {"big": os.urandom(300_000)}
TOP = {"etc/name": b"top", "etc/.wh.gone": b""}


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Registries]:
    with netlab.Lab() as lab, registrylab.serving(lab, tmp_path_factory.mktemp("registries")) as found:
        layout = ocilayout.Layout(tmp_path_factory.mktemp("oci") / "one")
        push(found, layout.save(layout.image([BASE, BIG, TOP])), "public/app:1")
        layout = ocilayout.Layout(tmp_path_factory.mktemp("oci") / "list")
        name = layout.save(*[ocilayout.on(layout.image([BASE, {"arch": text.encode()}], architecture=text), text) for text in ("amd64", "arm64", "riscv64")])
        push(found, name, "public/list:1", "--all")
        yield found


@pytest.fixture
def store(registries: Registries, tmp_path: pathlib.Path) -> Store:
    registries.rules()
    return Store(registries, tmp_path / "home")


WANTED = {"bin/app": BASE["bin/app"], "etc/name": b"top", "big": BIG["big"]}


def test_image_that_skopeo_pushed_is_predicted_pulled_and_kept(store: Store) -> None:
    predicted = store.pull(PLAIN + "/public/app:1", check=True)
    assert not os.path.exists(store.home)
    made = store.pull(PLAIN + "/public/app:1")
    assert (made.plan, made.actions, made.diff) == (predicted.plan, predicted.actions, predicted.diff) and made.changed
    assert store.tree() == WANTED
    assert made.result["layers_fetched"] == 3 and made.result["bytes_fetched"] > 300_000
    assert made.result["digest"] == predicted.result["digest"]
    image = made.result["image"]
    assert image["RepoDigests"] == [PLAIN + "/public/app@" + made.result["digest"]] and image["Created"] == "2024-05-06T07:08:09Z"
    assert image["Config"] == {"Cmd": ["/bin/app"], "Env": ["PATH=/bin", "A=b"], "Labels": {"of": "tests"}}
    for policy in ("never", "missing", "newer", "always"):
        again = store.pull(PLAIN + "/public/app:1", policy=policy)
        assert not again.changed and again.result["digest"] == made.result["digest"]


def test_policies_ask_as_seldom_as_they_can(store: Store) -> None:
    store.pull(LINE + "/public/app:1")
    for policy, asked in (("never", []), ("missing", []), ("newer", ["HEAD"]), ("always", ["HEAD"])):
        store.registries.rules()
        store.pull(LINE + "/public/app:1", policy=policy)
        assert [method for method, *_more in store.registries.log()] == asked, policy


def test_tag_that_moved(store: Store, tmp_path: pathlib.Path) -> None:
    layout = ocilayout.Layout(tmp_path / "first")
    push(store.registries, layout.save(layout.image([BASE])), "moving:1")
    store.pull(LINE + "/moving:1")
    layout = ocilayout.Layout(tmp_path / "second")
    push(store.registries, layout.save(layout.image([BASE, {"new": b"1"}])), "moving:1")
    assert not store.pull(LINE + "/moving:1").changed
    for check in (True, False):
        store.registries.rules()
        moved = store.pull(LINE + "/moving:1", policy="newer", check=check)
        assert moved.plan == {"action": "replace", "reasons": ["the content of the source is another one"]}
    assert moved.result["layers_fetched"] == 1 and len(store.registries.blobs_asked()) == 2     # the config and the one layer
    assert store.tree()["new"] == b"1"
    assert not store.pull(LINE + "/moving:1", policy="always").changed


@pytest.mark.parametrize("platform", ["", "linux/arm64", "linux/riscv64"])
def test_platform_of_a_list(store: Store, platform: str) -> None:
    made = store.pull(PLAIN + "/public/list:1", platform=platform)
    assert store.tree()["arch"].decode() == (platform or "linux/amd64").rpartition("/")[2]
    assert not store.pull(PLAIN + "/public/list:1", platform=platform, policy="always").changed
    other = store.pull(PLAIN + "/public/list:1", platform="linux/arm64", policy="always", check=True)
    assert other.changed is (platform != "linux/arm64") and other.result["digest"] == made.result["digest"]


def test_platform_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound, match="platforms there: linux/amd64, linux/arm64, linux/riscv64"):
        store.pull(PLAIN + "/public/list:1", platform="linux/s390x")
    with pytest.raises(NotFound, match="it is for linux/amd64, not for linux/arm64"):
        store.pull(PLAIN + "/public/app:1", platform="linux/arm64")
    assert store.left() == []


@pytest.mark.parametrize("reference", ["public/app:2", "nothing", "public/app@sha256:" + 64 * "0"])
def test_image_that_is_not_there(store: Store, reference: str) -> None:
    with pytest.raises(NotFound):
        store.pull("%s/%s" % (PLAIN, reference))


def test_digest_names_the_content(store: Store) -> None:
    digest = store.pull(PLAIN + "/public/app:1", check=True).result["digest"]
    assert store.pull("%s/public/app@%s" % (PLAIN, digest)).result["digest"] == digest
    assert not store.pull("%s/public/app@%s" % (PLAIN, digest), policy="always").changed


@pytest.mark.parametrize("rules", [
    [("GET", "/blobs/", 4, "cut:100")], [("GET", "/blobs/", 3, "status:503")], [("GET", "/blobs/", 2, "status:429")],
    [("GET", "/manifests/", 1, "cut:10"), ("GET", "/blobs/", 2, "cut:5")], [("GET", "/blobs/", 2, "redirect:http://" + PLAIN)],
    [("GET", "/blobs/", 1, "cut:1000"), ("GET", "/blobs/", 9, "norange")],
], ids=["cut off", "busy", "too many", "cut at first", "elsewhere", "no ranges"])
def test_bad_line_is_overcome(store: Store, rules: t.List[t.Tuple[str, str, int, str]]) -> None:
    store.registries.rules(*rules)
    assert store.pull(LINE + "/public/app:1").changed
    assert store.tree() == WANTED


def test_transfer_that_was_cut_off_goes_on(store: Store) -> None:
    store.registries.rules(("GET", "/blobs/", 99, "cut:100000"))
    store.pull(LINE + "/public/app:1")
    assert {"bytes=100000-", "bytes=200000-", "bytes=300000-"} <= {each[2] for each in store.registries.log()}


@pytest.mark.parametrize("rule, error", [
    (("GET", "/blobs/", 99, "flip"), Damaged), (("GET", "/blobs/", 99, "grow"), Damaged), (("GET", "/manifests/", 99, "flip"), Damaged),
    (("GET", "/manifests/", 99, "grow"), Damaged), (("GET", "/blobs/", 99, "cut:0"), Unreachable), (("GET", "/blobs/", 99, "status:503"), Unreachable),
    (("GET", "/blobs/", 99, "status:404"), NotFound), (("GET", "/blobs/", 99, "status:403"), Denied),
], ids=["another blob", "longer blob", "another manifest", "longer manifest", "nothing", "busy", "not there", "forbidden"])
def test_what_cannot_be_overcome_leaves_nothing(store: Store, rule: t.Tuple[str, str, int, str], error: t.Type[Exception]) -> None:
    store.registries.rules(rule)
    with pytest.raises(error):
        store.pull(LINE + "/public/app:1")
    assert store.left() == []


def test_layer_that_is_damaged_on_the_way_leaves_nothing(store: Store) -> None:
    """The config is good, so that the layers are begun."""
    manifest = json.loads(store.registries.skopeo("inspect", "--raw", "--tls-verify=false", "docker://%s/public/app:1" % PLAIN))
    store.registries.rules(("GET", "/blobs/" + manifest["layers"][1]["digest"], 99, "flip"))
    with pytest.raises(Damaged, match="another content"):
        store.pull(LINE + "/public/app:1")
    assert store.left() == []


def test_registry_that_is_away(store: Store) -> None:
    store.pull(PLAIN + "/public/app:1")
    nobody = "localhost:5999/public/app:1"
    assert not store.pull(nobody, policy="newer", access=registrylab.HTTP).changed
    with pytest.raises(Unreachable, match="Connection refused"):
        store.pull(nobody, policy="always", access=registrylab.HTTP)
    with pytest.raises(NotFound, match="pull is never"):
        store.pull(nobody, "other", policy="never", access=registrylab.HTTP)


@pytest.mark.parametrize("registry", [SAFE, TOKENS])
def test_who_logged_in_may_pull(store: Store, registry: str) -> None:
    user = ("--dest-creds=ann:secret",)
    push(store.registries, "docker://%s/public/app:1" % PLAIN, "private/app:1", "--src-tls-verify=false", *user, to=registry)
    with pytest.raises(Denied, match="cocker_login"):
        store.pull(registry + "/private/app:1")
    wanted = LoginWish(registry, "ann", "secret", access=store.registries.access(registry))
    store.registries.lab.run(lambda: login.ensure(open_host(store.home, dry_run=False), wanted))
    store.pull(registry + "/private/app:1")
    assert store.tree() == WANTED


def test_nobody_gets_a_token_for_what_is_public(store: Store) -> None:
    push(store.registries, "docker://%s/public/app:1" % PLAIN, "public/app:1", "--src-tls-verify=false", "--dest-creds=ann:secret", to=TOKENS)
    store.pull(TOKENS + "/public/app:1")
    assert store.tree() == WANTED


def test_force_fetches_what_is_there(store: Store) -> None:
    store.pull(PLAIN + "/public/app:1")
    forced = store.pull(PLAIN + "/public/app:1", force=True)
    assert forced.plan["action"] == "replace" and store.tree() == WANTED

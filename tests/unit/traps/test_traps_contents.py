# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps about images, labels and mounts. Each row was a defect of an engine, or of a collection that people know."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, Platform, Provenance
from ansible_collections.cocker.engine.tests import taskcorpus
from ansible_collections.cocker.engine.tests.trapbench import SAME, SPEAKING, Bench, Case, app, box, ids

LABELS: t.List[Case] = [
    ("the image's cannot be taken away", app(labels={}), app(), SAME),
    ("the image's are not missing", app(labels={"a": "b"}), app(labels={"a": "b"}), SAME),
    ("the image's is overwritten", app(labels={"of": "task"}), app(), "labels update"),
    ("the image's, said as it is", app(labels={"of": "image"}), app(), "labels update"),
    ("one that is gone", box(labels={"a": "1", "b": "2"}), box(labels={"a": "1"}), "labels update"),
    ("all that are gone, with the option", box(labels={"a": "1"}), box(), "labels update"),
    ("the case of a key", box(labels={"Owner": "a"}), box(labels={"owner": "a"}), "labels update"),
    ("the case of a value", box(labels={"a": "B"}), box(labels={"a": "b"}), "labels update"),
    ("the order", box(labels={"b": "1", "a": "2"}), box(labels={"a": "2", "b": "1"}), SAME),
    ("numbers and booleans", box(labels={"a": 1, "b": True, "c": 1.5}), box(labels={"a": "1", "b": "true", "c": "1.5"}), SAME),
    ("a number as a key", box(labels={1: "a"}), box(labels={"1": "a"}), SAME),
    ("an empty value", box(labels={"a": ""}), box(labels={}), "labels update"),
    ("others may be there besides", box(labels={"a": "1", "b": "2"}), box(labels={"a": "1"}, comparisons={"labels": "allow_more_present"}), SAME),
    ("null is no text", box(labels={"a": None}), box(), "refused labels"),
]

MOUNTS: t.List[Case] = [
    ("slashes", box(volumes=["/srv//data/:/data/"]), box(volumes=["/srv/data:/data"]), SAME),
    ("the usual mode", box(volumes=["/srv:/data"]), box(volumes=["/srv:/data:rw"]), SAME),
    ("words that hold anyway", box(volumes=["/srv:/data:rbind,rprivate,exec,z"]), box(volumes=["/srv:/data"]), SAME),
    ("the order", box(volumes=["/a:/a", "/b:/b"]), box(volumes=["/b:/b", "/a:/a"]), SAME),
    ("one twice", box(volumes=["/a:/a", "/a/:/a"]), box(volumes=["/a:/a"]), SAME),
    ("the order of words", box(volumes=["/a:/a:noexec,ro,nosuid"]), box(volumes=["/a:/a:ro,nosuid,noexec"]), SAME),
    ("read-only", box(volumes=["/a:/a:ro"]), box(volumes=["/a:/a"]), "mounts restart"),
    ("another source", box(volumes=["a:/a"]), box(volumes=["b:/a"]), "mounts restart"),
    ("one that is gone", box(volumes=["a:/a", "b:/b"]), box(volumes=["a:/a"]), "mounts restart"),
    ("all that are gone, with the option", box(volumes=["a:/a"]), box(), "mounts restart"),
    ("none, and nothing said", box(volumes=[]), box(), SAME),
    ("none, and nothing said, where the image has some", app(volumes=[]), app(), SAME),
    ("the image's, said by the task", app(volumes=["/kept"]), app(), SAME),
    ("the image's, under a name", app(volumes=["mine:/kept"]), app(), "mounts restart"),
    ("one without a name has the same each time", box(volumes=["/scratch"]), box(mounts=[{"type": "volume", "target": "/scratch"}]), SAME),
    ("as a string and in full", box(mounts=["type=bind,src=/a,dst=/b,ro=true"]), box(volumes=["/a:/b:ro"]), SAME),
    ("not said and not so", box(mounts=[{"target": "/b", "source": "b", "read_only": False, "no_copy": False}]), box(volumes=["b:/b"]), SAME),
    ("in memory, with a size", box(mounts=[{"type": "tmpfs", "target": "/b", "tmpfs_size": "1M", "tmpfs_mode": "0700"}]),
     box(tmpfs=["/b:size=1024k,mode=700"]), SAME),
    ("one target in two ways", box(volumes=["/a:/data"], tmpfs=["/data"]), box(), "refused volumes"),
    ("a path that depends on where one is", box(volumes=["./a:/a"]), box(), "refused volumes"),
]

SECRET = {"type": "content", "target": "/run/secret", "content": "one", "mode": "0400"}
SECRETS: t.List[Case] = [
    ("another value under the same name", box(mounts=[SECRET]), box(mounts=[{**SECRET, "content": "two"}]), "mounts restart"),
    ("another value, told by a signal", box(mounts=[{**SECRET, "on_change": "reload"}]),
     box(mounts=[{**SECRET, "content": "two", "on_change": "reload"}]), "mounts update"),
    ("another value that nobody is told", box(mounts=[{**SECRET, "on_change": "none"}]),
     box(mounts=[{**SECRET, "content": "two", "on_change": "none"}]), "mounts update"),
    ("the same value", box(mounts=[SECRET]), box(mounts=[{**SECRET, "mode": "400", "uid": 0}]), SAME),
    ("a line end is a part of it", box(mounts=[SECRET]), box(mounts=[{**SECRET, "content": "one\n"}]), "mounts restart"),
    ("who may read it", box(mounts=[SECRET]), box(mounts=[{**SECRET, "mode": "0440"}]), "mounts restart"),
    ("one that is gone", box(mounts=[SECRET]), box(), "mounts restart"),
    ("one without a value", box(mounts=[{"type": "content", "target": "/a"}]), box(), "refused mounts.content"),
]

DIGEST = "sha256:" + 64 * "a"
IMAGES: t.List[Case] = [
    ("the largest version, and none said", {"image": "app:3"}, {"image": "app"}, "images update"),
    ("another version with the same content", app(), {"image": "app:2"}, "images update"),
    ("another version with the same content, which does not matter", app(), {"image": "app:2", "image_name_mismatch": "ignore"}, SAME),
    ("another version with the same content, which does matter", app(), {"image": "app:2", "image_name_mismatch": "recreate"}, "images recreate"),
    ("another content", app(), {"image": "app:3"}, "images recreate"),
    ("the registry is a part of the name", {"image": "registry.example/team/app"}, {"image": "other.example/team/app"}, "images update"),
    ("a short name is not one of docker's", {"image": "app:1"}, {"image": "docker.io/library/app:1"}, "images update"),
    ("a tag and a digest: the digest", {"image": "fetched:stable@" + DIGEST}, {"image": "fetched@" + DIGEST}, SAME),
    ("a digest, and the tag that it was fetched by", {"image": "fetched@" + DIGEST}, {"image": "fetched:stable"}, "images update"),
    ("the digest of a list of platforms, and that of its image", {"image": "fetched@sha256:" + 64 * "b"}, {"image": "fetched@" + DIGEST}, "images update"),
    ("one, and a list of one", app(), {"images": ["app:1"]}, SAME),
    ("the order", {"images": ["box", "app:1"]}, {"images": ["app:1", "box"]}, "images recreate"),
    ("one more", {"images": ["box", "app:1"]}, {"images": ["box"]}, "images recreate + mounts restart"),
    ("the same, made again", app(), app(recreate=True), "recreate was asked for"),
    ("it is not compared", app(), {"image": "app:3", "comparisons": {"image": "ignore"}}, SAME),
    ("it is not compared, whatever a version means by now", {"image": "app"}, {"image": "app:1", "repin": True, "comparisons": {"*": "ignore"}}, SAME),
    ("more of them may be there", {"images": ["box", "app:1"]}, {"images": ["box"], "comparisons": {"images": "allow_more_present"}}, SAME),
    ("a part of a digest", {"image": "app:1@sha256:" + 12 * "a"}, box(), "refused image"),
    ("one that is not there", {"image": "nothing"}, box(), "refused nothing"),
]


@pytest.fixture(scope="module", autouse=True)
def more_images(images: Bench) -> None:
    for name in ("registry.example/team/app", "other.example/team/app", "docker.io/library/app"):
        images.image(name, "1", layers=("base", "app"), config=SPEAKING)
    origin = Provenance("registry", digest=DIGEST, path="fetched:stable", stamp="sha256:%s linux/amd64" % (64 * "b"))
    images.image("fetched", "stable", layers=("base",), config=ImageConfig(), origin=origin)


@pytest.mark.parametrize("_what,first,second,cost", LABELS, ids=ids(LABELS))
def test_labels(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", MOUNTS, ids=ids(MOUNTS))
def test_volumes_and_mounts(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", SECRETS, ids=ids(SECRETS))
def test_secrets(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", IMAGES, ids=ids(IMAGES))
def test_image(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    """The way back is not always as far: `image_name_mismatch`, `comparisons` and `recreate` are said once."""
    if cost.startswith("refused"):
        assert bench.cost(first) == cost
        return
    bench.leave(first)
    assert (bench.cost(first), bench.cost(second)) == (SAME, cost)


# What is said, what the registry has, and which of it is fetched.
PLATFORMS = [
    ("linux/arm64", ("linux/amd64", "linux/arm64/v8"), 1),
    ("linux/arm64/v8", ("linux/amd64", "linux/arm64"), 1),
    ("linux/arm64/v8", ("linux/arm64", "linux/arm64/v8"), 1),
    ("linux/amd64", ("linux/amd64/v2", "linux/amd64"), 1),
    ("linux/x86_64", ("linux/arm64", "linux/amd64"), 1),
    ("linux/aarch64", ("linux/amd64", "linux/arm64/v8"), 1),
    ("linux/arm/v7", ("linux/arm/v6", "linux/arm/v7"), 1),
    ("linux/armhf", ("linux/arm/v6", "linux/arm/v7"), 1),
    ("linux/i386", ("linux/amd64", "linux/386"), 1),
]


@pytest.mark.parametrize("said,there,fetched", PLATFORMS)
def test_platform(said: str, there: t.Tuple[str, ...], fetched: int) -> None:
    pull = taskcorpus.wish({"name": "web", "image": "docker.io/library/app", "pull": "newer", "platform": said}).pull
    offered = [distribution.Descriptor("", "sha256:%064d" % place, 1, Platform(*text.split("/"))) for place, text in enumerate(there)]
    assert pull is not None and pull.platform is not None
    assert distribution.Index("", tuple(offered)).choose(pull.platform, "app").digest == offered[fetched].digest


def test_platform_that_is_said_in_another_way_brings_no_other_image() -> None:
    """The digest decides; the platform is in the stamp, which only spares a question."""
    one, two = (Provenance("registry", digest=DIGEST, path="app", stamp="sha256:1 " + platform) for platform in ("linux/arm64", "linux/arm64/v8"))
    assert one.brings_the_same(two)


def test_platform_of_the_host_and_nothing_said_are_one() -> None:
    machine = distribution.platform_of("x86_64")
    assert distribution.parse_platform("linux/amd64") == distribution.parse_platform("linux/x86_64") == machine


def test_platform_alone_asks_no_registry(bench: Bench) -> None:
    assert bench.cost(box(platform="linux/amd64")) == "refused platform"


@pytest.mark.parametrize("option", ["cidfile", "cgroups", "sdnotify", "pod_id_file", "exit_policy", "conmon_pidfile", "pid_file"])
def test_volatile_keys_are_refused_by_name(bench: Bench, option: str) -> None:
    with pytest.raises(ValueError, match=option):
        bench.cost(box(**{option: "value"}))


def test_volatile_what_the_engine_chooses_is_not_compared(bench: Bench) -> None:
    """Id, time, pins, layers, pids and addresses are the record's, and no option's."""
    assert {"id", "created", "pins", "layers", "config", "born", "source", "own"}.isdisjoint(field.name for field in FIELDS)
    for task in (box(), app(), app(volumes=["/scratch"], published_ports=["80"], networks=[{"name": "a"}])):
        for _run in range(2):       # another id each time
            bench.leave(task)
            assert bench.cost(task) == SAME

# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers whose images are fetched from a real registry by the task that makes them."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers_together
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import parse_platform
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, NotFound, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.model.names import parse_wanted
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ImagePull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainersWish, Member
from ansible_collections.cocker.engine.tests.root import enginelab, ocilayout, registrylab
from ansible_collections.cocker.engine.tests.root.registrylab import HTTP, PLAIN, Registries
from ansible_collections.cocker.engine.tests.root.registrystore import push

pytestmark = pytest.mark.root

IMAGE = PLAIN + "/public/box:1"
SLEEP = ("/bin/busybox", "sleep", "1000")
BASE = {"bin/": None, "bin/busybox": pathlib.Path(enginelab.BUSYBOX).read_bytes()}


class Registry(t.NamedTuple):
    registries: Registries
    folder: pathlib.Path

    def has(self, name: str, *more: ocilayout.Files, command: t.Sequence[str] = SLEEP) -> None:
        """From now on, by this name: the base, and layers of its own."""
        layout = ocilayout.Layout(self.folder / ("%d" % len(list(self.folder.iterdir()))))
        push(self.registries, layout.save(layout.image([BASE, *more], command=command)), name)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Tuple[enginelab.Engine, Registry]]:
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        with registrylab.serving(found.lab, tmp_path_factory.mktemp("registries")) as registries:
            registry = Registry(registries, tmp_path_factory.mktemp("layouts"))
            registry.has("public/box:1")
            registry.has("public/box:latest", {"latest": b""})
            yield found, registry


@pytest.fixture
def registry(lab: t.Tuple[enginelab.Engine, Registry]) -> Registry:
    return lab[1]


@pytest.fixture
def engine(lab: t.Tuple[enginelab.Engine, Registry]) -> t.Iterator[enginelab.Engine]:
    engine = lab[0]
    with enginelab.clean(engine) as found:
        yield found
    for name in engine.layout.image_names():
        for version in engine.layout.image_versions(name) if "public" in name else ():
            engine.run(remove_image, name, version)


def remove_image(host: t.Any, name: str, version: str) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import images
    from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish

    images.ensure(host, ImageWish(name, None if version == "_" else version, state="absent"))


def run(engine: enginelab.Engine, policy: str, image: str = IMAGE, *, check: bool = False, **said: t.Any) -> t.Any:
    pull = ImagePull(policy, access=said.pop("access", HTTP), platform=said.pop("platform", None))
    return engine.start(images=(image,), command=None, network_mode="none", pull=pull, check=check, **said)


def both(engine: enginelab.Engine, policy: str, image: str = IMAGE, **said: t.Any) -> t.Any:
    """Foreseen, and done."""
    before = engine.files()
    foreseen = run(engine, policy, image, check=True, **said)
    assert engine.files() == before
    done = run(engine, policy, image, **said)
    assert (foreseen.changed, foreseen.plan, foreseen.actions, foreseen.diff) == (done.changed, done.plan, done.actions, done.diff)
    return done


def verbs(outcome: t.Any) -> t.List[str]:
    return [each["action"] for each in outcome.actions]


def test_an_image_that_is_missing_is_fetched_and_one_that_is_there_is_not_asked_for(engine: enginelab.Engine) -> None:
    done = both(engine, "missing")
    assert verbs(done) == ["import", "create", "start"] and done.plan["action"] == "create"
    assert done.plan["reasons"][0] == "the image is not in the store" and done.diff["after"]["image " + IMAGE]["exists"]
    assert engine.find("web")["Config"]["Cmd"] == list(SLEEP) and engine.state("web")["Running"]
    assert not both(engine, "missing").changed


def test_always_follows_the_registry_and_makes_the_container_anew(engine: enginelab.Engine, registry: Registry) -> None:
    name = PLAIN + "/public/moving:1"
    registry.has("public/moving:1")
    assert verbs(both(engine, "always", name)) == ["import", "create", "start"]
    assert verbs(both(engine, "always", name)) == []
    registry.has("public/moving:1", {"new": b"content"})
    assert verbs(both(engine, "missing", name)) == []
    done = both(engine, "always", name)
    assert verbs(done) == ["replace", "stop", "configure", "reset_layer", "start"] and done.plan["action"] == "recreate"
    assert engine.exec("web", "/bin/busybox", "cat", "/new")["stdout"] == b"content"
    registry.has("public/moving:1", {"new": b"content"}, command=("/bin/busybox", "sleep", "2000"))
    done = both(engine, "newer", name)
    assert verbs(done) == ["replace", "stop", "configure", "start"] and done.plan["action"] == "restart"
    assert not both(engine, "always", name).changed


def test_without_a_version_it_is_what_the_registry_calls_latest(engine: enginelab.Engine) -> None:
    assert verbs(both(engine, "missing", PLAIN + "/public/box")) == ["import", "create", "start"]
    assert engine.exec("web", "/bin/busybox", "ls", "/latest")["rc"] == 0
    assert verbs(both(engine, "missing")) == ["import", "stop", "configure", "reset_layer", "start"]


def test_an_image_by_its_digest_is_that_image_whatever_its_tag_names(engine: enginelab.Engine, registry: Registry) -> None:
    tag = PLAIN + "/public/pinned:1"
    registry.has("public/pinned:1")
    digest = registry.registries.skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://" + tag).strip()
    registry.has("public/pinned:1", {"new": b""})
    pinned = str(parse_wanted("%s@%s" % (tag, digest)))
    assert verbs(both(engine, "missing", pinned)) == ["import", "create", "start"]
    assert engine.exec("web", "/bin/busybox", "ls", "/new")["rc"] == 1
    for policy in ("missing", "always", "never"):
        assert not both(engine, policy, pinned).changed
    with pytest.raises(NotFound, match="public/pinned: it is not in the store"):
        run(engine, "never", PLAIN + "/public/pinned")      # no largest version
    assert verbs(both(engine, "missing", tag)) == ["import", "stop", "configure", "reset_layer", "start"]
    newest = registry.registries.skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://" + tag).strip()
    assert "import" not in verbs(both(engine, "never", str(parse_wanted("%s@%s" % (tag, newest)))))


def test_never_asks_nobody(engine: enginelab.Engine) -> None:
    for check in (True, False):
        with pytest.raises(NotFound, match="image localhost:5000/public/box:1: it is not in the store"):
            run(engine, "never", check=check)


@pytest.mark.parametrize("image, error, said", [
    (PLAIN + "/public/none:1", NotFound, "public/none"),
    ("nothing:1", Invalid, "does not begin with a registry"),
    ("localhost:5999/public/box:1", Unreachable, "localhost:5999"),
])
def test_what_cannot_be_fetched_leaves_nothing(
    engine: enginelab.Engine, monkeypatch: pytest.MonkeyPatch, image: str, error: t.Type[Exception], said: str,
) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.registry import transport

    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    for check in (True, False):
        with pytest.raises(error, match=said):
            run(engine, "missing", image, check=check)
    assert engine.layout.container_names() == []


def test_an_image_of_another_platform_is_refused(engine: enginelab.Engine) -> None:
    for check in (True, False):
        with pytest.raises(NotFound, match="it is for linux/amd64, not for linux/s390x"):
            run(engine, "missing", platform=parse_platform("linux/s390x"), check=check)


def test_an_image_stays_where_its_container_cannot_start(engine: enginelab.Engine) -> None:
    with pytest.raises(Exception, match="nothing-here"):
        engine.start(images=(IMAGE,), command=("/nothing-here",), network_mode="none", pull=ImagePull("missing", access=HTTP))
    assert engine.layout.container_names() == []
    assert verbs(both(engine, "missing")) == ["create", "start"]


def test_who_is_not_wanted_needs_no_image(engine: enginelab.Engine) -> None:
    assert not run(engine, "always", "localhost:5999/nowhere:1", state="absent").changed


def test_several_of_one_task_fetch_what_they_share_once(engine: enginelab.Engine) -> None:
    pull = ImagePull("missing", access=HTTP)
    members = [Member(enginelab.wish(name, images=(IMAGE,), network_mode="none", pull=pull)) for name in ("one", "two")]

    def ensure(check: bool) -> t.Any:
        wish = ContainersWish(tuple(members), ("one", "two"))
        return engine.lab.run(lambda: containers_together.ensure(open_host(engine.home, dry_run=check), wish))

    foreseen, done = ensure(True), ensure(False)
    assert [verbs(each) for _name, each in done] == [["import", "create", "start"], ["create", "start"]]
    assert [(name, each.actions, each.diff) for name, each in foreseen] == [(name, each.actions, each.diff) for name, each in done]

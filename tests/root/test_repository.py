# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in a repository on a real sshd: pushed, found, pulled, removed; what travels, what does not; whom we trust."""
from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Denied, Invalid, NotFound, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Reach, RepositoryWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.tests.root import netlab, sshlab
from ansible_collections.cocker.engine.tests.root.sshlab import Server, Store, files_below

pytestmark = pytest.mark.root

BASE, TOP = {"bin/app": os.urandom(300_000)}, {"etc/name": b"app\n"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    with netlab.Lab() as lab, sshlab.serving(lab, tmp_path_factory.mktemp("ssh")) as found:
        yield found


@pytest.fixture
def there(tmp_path: pathlib.Path) -> pathlib.Path:
    """The repository's directory."""
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository"


@pytest.fixture
def store(server: Server, tmp_path: pathlib.Path, there: pathlib.Path) -> Store:
    """With `app:1` of two layers, `base:1` is the lower one alone."""
    found = Store(server, tmp_path / "home", server.reach(there))
    found.make("base:1", BASE)
    found.make("app:1", TOP, over="base:1")
    return found


@pytest.fixture
def other(server: Server, tmp_path: pathlib.Path, there: pathlib.Path) -> Store:
    """Another host."""
    return Store(server, tmp_path / "other", server.reach(there))


def test_image_is_predicted_pushed_and_kept(store: Store, there: pathlib.Path) -> None:
    before = store.everything(), files_below(there)
    predicted = store.push("app:1", check=True)
    assert (store.everything(), files_below(there)) == before
    done = store.push("app:1")
    assert (done.changed, done.plan, done.actions, done.diff) == (True, predicted.plan, predicted.actions, predicted.diff)
    assert done.result["layers_uploaded"] == 2 and 300_000 < done.result["bytes_uploaded"] < 310_000
    again = store.push("app:1")
    assert not again.changed and not store.push("app:1", check=True).changed and again.result["digest"] == done.result["digest"]
    assert sorted(os.listdir(there)) == ["blobs", "images", "uploads"] and os.listdir(there / "uploads") == []
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=there / "images/app/1", check=True)


def test_what_was_pushed_is_pulled_by_another_host(store: Store, other: Store) -> None:
    store.ensure(ImageWish("app", "1", config={"cmd": ["/bin/app"]}))
    pushed = store.push("app:1")
    predicted = other.pull("app:1", check=True)
    assert not os.path.exists(other.home)
    done = other.pull("app:1")
    assert (done.plan, done.actions, done.diff) == (predicted.plan, predicted.actions, predicted.diff)
    assert done.result["layers_fetched"] == 2 and done.result["image"]["Config"]["Cmd"] == ["/bin/app"]
    assert other.tree("app:1") == {**BASE, **TOP}
    assert not other.pull("app:1").changed and not other.pull("app:1", policy="always").changed
    kept = other.push("app:1")
    assert not kept.changed and kept.result["digest"] == pushed.result["digest"]


@pytest.mark.parametrize("policy", ["missing", "always"])
def test_whoever_pushed_an_image_and_asks_for_it_keeps_its_config(store: Store, policy: str) -> None:
    """The image was made here, and how it is run was said by a task of its own: nothing of it comes from the repository."""
    store.ensure(ImageWish("app", "1", config={"cmd": ["/bin/app"]}))
    store.push("app:1")
    again = store.pull("app:1", policy=policy)
    assert again.result["image"]["Config"]["Cmd"] == ["/bin/app"]
    assert not store.pull("app:1", policy=policy).changed


def test_layers_that_the_other_side_has_are_not_sent(store: Store, other: Store) -> None:
    store.push("base:1")
    done = store.push("app:1")
    assert done.result["layers_uploaded"] == 1 and done.result["bytes_uploaded"] < 3000
    other.pull("base:1")
    done = other.pull("app:1")
    assert done.result["layers_fetched"] == 1 and done.result["bytes_fetched"] < 3000
    assert other.tree("app:1") == {**BASE, **TOP}


def test_another_image_by_the_name_is_replaced_by_force_only(store: Store, other: Store, there: pathlib.Path) -> None:
    store.push("app:1")
    other.make("app:1", {"other": b"1"})
    for check in (True, False):
        with pytest.raises(Conflict, match="another image is there"):
            other.push("app:1", check=check)
    predicted = other.push("app:1", force=True, check=True)
    done = other.push("app:1", force=True)
    assert (done.plan["action"], done.actions, done.diff) == ("replace", predicted.actions, predicted.diff)
    assert not other.push("app:1", force=True).changed
    assert len(os.listdir(there / "blobs/sha256")) == 3      # what only the former image needed is gone
    assert store.pull("app:1", policy="always").changed and store.tree("app:1") == {"other": b"1"}


def test_removed_with_what_no_other_image_needs(store: Store, there: pathlib.Path) -> None:
    store.push("base:1")
    blobs = set(os.listdir(there / "blobs/sha256"))
    store.push("app:1")
    predicted = store.remove("app:1", check=True)
    assert os.path.exists(there / "images/app/1/index.json")
    done = store.remove("app:1")
    assert done.changed and done.actions == predicted.actions
    assert set(os.listdir(there / "blobs/sha256")) == blobs and os.listdir(there / "images") == ["base"]
    assert not store.remove("app:1").changed


def test_search(store: Store) -> None:
    assert store.search() == []
    store.ensure(ImageWish("team/app", "1.9", source="image", from_image="app:1"))
    for name, called in (("app:1", ""), ("app:1", "app:1.10"), ("app:1", "team/app:1.9"), ("base:1", "base:_")):
        store.push(name, there=called)
    assert [each["reference"] for each in store.search()] == ["app:1", "app:1.10", "base", "team/app:1.9"]
    assert [each["reference"] for each in store.search("pp:1.")] == ["app:1.10", "team/app:1.9"]
    assert [each["reference"] for each in store.search("b?se")] == ["base"]
    assert [each["version"] for each in store.search(name="app")] == ["1", "1.10"]
    found = store.search(name="app:1")
    assert len(found) == 1 and found[0]["size"] > 300_000 and len(found[0]["layers"]) == 2 and found[0]["form"] == "layers"
    assert store.search(name="app:3") == []


def test_a_reference_without_version_is_the_largest(store: Store, other: Store) -> None:
    store.push("base:1", there="app:1.9")
    store.push("app:1", there="app:1.10")
    other.pull("mine:1", there="app")
    assert other.tree("mine:1") == {**BASE, **TOP}
    with pytest.raises(NotFound, match=r"app in .*does not have it \(versions there: 1.10, 1.9\)"):
        other.pull("app")


def test_single_files_of_cocker(store: Store, other: Store, there: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/name").write_text("old\n")
    file = there / "calvin=rhel-7.4-x86_64:1.0.0.cockerimage"
    subprocess.run(["tar", "--force-local", "-czf", str(file), "etc"], cwd=tmp_path / "root", check=True)
    found = store.search("rhel")
    assert [(each["reference"], each["form"], each["size"]) for each in found] == [
        ("calvin=rhel-7.4-x86_64:1.0.0", "cockerimage", file.stat().st_size)]
    assert other.pull("calvin=rhel-7.4-x86_64:1.0.0").changed
    assert other.tree("calvin=rhel-7.4-x86_64:1.0.0") == {"etc/name": b"old\n"}
    assert not other.pull("calvin=rhel-7.4-x86_64:1.0.0", policy="always").changed
    with pytest.raises(Conflict, match="as a .cockerimage"):
        other.push("calvin=rhel-7.4-x86_64:1.0.0")
    assert other.push("calvin=rhel-7.4-x86_64:1.0.0", force=True).changed
    assert not file.exists() and store.search("rhel")[0]["form"] == "layers"


def test_the_login_directory_is_the_repository_where_none_is_named(server: Server, tmp_path: pathlib.Path) -> None:
    store = Store(server, tmp_path / "home", server.reach())
    store.make("login:1", TOP)
    store.push("login:1")
    assert (server.login / "images/login/1/index.json").exists()
    below = Store(server, tmp_path / "home", server.reach("sub"))
    with pytest.raises(NotFound, match="127.0.0.1:2222/~/sub: the directory does not exist"):
        below.push("login:1")
    store.remove("login:1")


@pytest.mark.parametrize(("said", "error"), [
    ({"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"}, "another host key"),
    ({"host_key": None, "known_hosts_path": "/dev/null"}, "host key is not known"),
    ({"identity_path": "/dev/null"}, "none of the keys"),
], ids=["wrong host key", "unknown host key", "no identity"])
def test_whom_we_do_not_trust(store: Store, server: Server, there: pathlib.Path, said: t.Dict[str, t.Any], error: str) -> None:
    with pytest.raises(Denied, match=error):
        store.push("app:1", reach=server.reach(there, **said))
    assert os.listdir(there) == []


def test_a_file_of_known_hosts(store: Store, server: Server, there: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "known hosts").write_text("[127.0.0.1]:2222 %s\n" % server.key())
    reach = server.reach(there, host_key=None, known_hosts_path=str(tmp_path / "known hosts"))
    assert store.push("app:1", reach=reach).changed


def test_nobody_is_there(store: Store, server: Server, there: pathlib.Path) -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        store.push("app:1", reach=server.reach(there, port=2))
    assert store.pull("app:1", reach=server.reach(there, port=2), policy="newer").changed is False


def test_the_address_is_remembered(store: Store, server: Server, there: pathlib.Path) -> None:
    with pytest.raises(Invalid, match="this host remembers none"):
        store.push("app:1", reach=Reach())
    wish = RepositoryWish(remember=True, reach=store.reach)
    predicted = store.tell(wish, check=True)
    with pytest.raises(Invalid):
        store.push("app:1", reach=Reach())
    done = store.tell(wish)
    assert (done.plan, done.actions, done.diff) == (predicted.plan, predicted.actions, predicted.diff) and done.changed
    assert not store.tell(wish).changed
    assert store.push("app:1", reach=Reach()).result["repository"] == "root@127.0.0.1:2222%s" % there


def test_the_address_that_cocker_kept(store: Store, server: Server) -> None:
    (pathlib.Path(store.home) / "srepo").write_text("nobody@127.0.0.1:2222")
    with pytest.raises(Denied, match="reach nobody@127.0.0.1:2222"):
        store.push("app:1", reach=Reach(host_key=server.key(), identity_path=str(server.folder / "client")))
    assert not store.pull("app:1", reach=Reach(Address("192.0.2.9"))).changed      # it is in the store: nobody is asked


def test_skopeo_reads_what_is_there(store: Store, there: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """On the server: an image is an OCI layout that shares its blobs."""
    pushed = store.push("app:1")
    source = ["--src-shared-blob-dir", str(there / "blobs"), "oci:%s" % (there / "images/app/1")]
    subprocess.run(["skopeo", "copy", "--quiet", *source, "oci:%s:app" % (tmp_path / "copy")], check=True)
    assert (tmp_path / "copy/blobs/sha256" / pushed.result["digest"].partition(":")[2]).exists()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository when things go wrong: lines that are cut, disks that are full, files that are damaged, two at once, servers that lie."""
from __future__ import annotations

import os
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import repositories
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Conflict,
    Damaged,
    Denied,
    Unreachable,
    Unsupported,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import RepositoryWish
from ansible_collections.cocker.engine.plugins.module_utils.registry import repository as ssh_repository
from ansible_collections.cocker.engine.tests.root import netlab, sshlab
from ansible_collections.cocker.engine.tests.root.sshlab import LINE, Server, Store, files_below

pytestmark = pytest.mark.root

FILES = {"bin/app": os.urandom(2_000_000)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    with netlab.Lab() as lab, sshlab.serving(lab, tmp_path_factory.mktemp("ssh")) as found:
        yield found


@pytest.fixture
def there(server: Server, tmp_path: pathlib.Path) -> pathlib.Path:
    server.cut_after(0)
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository"


@pytest.fixture
def store(server: Server, tmp_path: pathlib.Path, there: pathlib.Path) -> Store:
    found = Store(server, tmp_path / "home", server.reach(there))
    found.make("app:1", FILES)
    return found


@pytest.fixture
def other(server: Server, tmp_path: pathlib.Path, there: pathlib.Path) -> Store:
    return Store(server, tmp_path / "other", server.reach(there))


def left_in(store: Store) -> t.List[str]:
    return [*os.listdir(store.layout.images), *os.listdir(store.layout.layers)] if os.path.isdir(store.layout.layers) else []


def blobs(there: pathlib.Path) -> t.List[pathlib.Path]:
    """The largest, which is the layer, first."""
    return sorted((there / "blobs/sha256").iterdir(), key=lambda path: -path.stat().st_size)


def test_push_that_is_cut_off_is_not_seen(store: Store, server: Server, there: pathlib.Path) -> None:
    server.cut_after(500_000)
    before = set(store.everything())
    with pytest.raises(Unreachable):
        store.push("app:1", reach=server.reach(there, port=LINE))
    assert store.search() == [] and blobs(there) == [] and set(store.everything()) == before
    server.cut_after(0)
    assert store.push("app:1", reach=server.reach(there, port=LINE)).changed


def test_what_a_cut_off_push_left_goes_after_a_day(store: Store, server: Server, there: pathlib.Path) -> None:
    server.cut_after(500_000)
    with pytest.raises(Unreachable):
        store.push("app:1", reach=server.reach(there, port=LINE))
    [left] = (there / "uploads").iterdir()
    store.push("app:1")
    assert left.exists()
    os.utime(left, (1, 1))
    store.push("app:1", there="app:2")
    assert not left.exists()


def test_pull_that_is_cut_off_leaves_nothing(store: Store, other: Store, server: Server, there: pathlib.Path) -> None:
    store.push("app:1")
    server.cut_after(500_000)
    with pytest.raises(Unreachable):
        other.pull("app:1", reach=server.reach(there, port=LINE))
    assert left_in(other) == []
    assert other.pull("app:1").changed and other.tree("app:1") == FILES


def test_silent_server(store: Store, server: Server, there: pathlib.Path) -> None:
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', 2300)); time.sleep(60)"
    silent = server.lab.spawn([sys.executable, "-c", listen])
    assert poll.until(lambda: server.lab.call("ss", "-Hltn", "sport = 2300"), timeout=10)
    with pytest.raises(Unreachable, match="silent|timed out"):
        store.push("app:1", reach=server.reach(there, port=2300, timeout=1))
    server.lab.end(silent)


def test_server_without_sftp(store: Store, server: Server, there: pathlib.Path) -> None:
    config = (server.folder / "config").read_text().replace("Port 2222", "Port 2224").replace("Subsystem", "#").replace("ForceCommand", "#")
    (server.folder / "bare").write_text(config)
    bare = server.lab.spawn(["/usr/sbin/sshd", "-D", "-f", str(server.folder / "bare")])
    assert poll.until(lambda: server.lab.call("ss", "-Hltn", "sport = 2224"), timeout=10)
    with pytest.raises(Unsupported, match="has no sftp for this user"):
        store.push("app:1", reach=server.reach(there, port=2224))
    server.lab.end(bare)


def test_full_disk_is_named_and_nothing_is_left(store: Store, server: Server, there: pathlib.Path) -> None:
    server.lab.call("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(there))
    with pytest.raises(CockerError, match="the disk of the server is full"):
        store.push("app:1")
    assert server.lab.call("find", str(there), "-type", "f") == ""
    server.lab.call("umount", str(there))


def test_damaged_layer_is_found_and_can_be_mended(store: Store, other: Store, there: pathlib.Path) -> None:
    store.push("app:1")
    with open(blobs(there)[0], "r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")
    with pytest.raises(Damaged, match=r"fetch app:1 from root@127.0.0.1:2222.*push it again"):
        other.pull("app:1")
    assert left_in(other) == []
    store.remove("app:1")
    store.push("app:1")
    assert other.pull("app:1").changed and other.tree("app:1") == FILES


def test_layer_that_was_cut_short_is_sent_again(store: Store, other: Store, there: pathlib.Path) -> None:
    store.push("app:1")
    os.truncate(blobs(there)[0], 1000)
    with pytest.raises(Damaged):
        other.pull("app:1")
    assert store.push("app:1", there="app:2").result["layers_uploaded"] == 1
    assert other.pull("app:1").changed


@pytest.mark.parametrize("what", ["images/app/1/index.json", "manifest"])
def test_damaged_document_hides_no_other_image(store: Store, other: Store, there: pathlib.Path, what: str) -> None:
    store.push("app:1")
    store.make("good:1", {"good": b"1"})
    manifest = store.push("good:1").result["digest"]
    bad = store.search(name="app:1")[0]["digest"].partition(":")[2] if what == "manifest" else ""
    (there / ("blobs/sha256/" + bad if bad else what)).write_bytes(b"{")
    assert [(each["reference"], bool(each["damage"])) for each in store.search()] == [("app:1", True), ("good:1", False)]
    with pytest.raises(Damaged, match="app:1"):
        other.pull("app:1")
    assert other.pull("good:1").result["image"] and store.search(name="good")[0]["digest"] == manifest
    with pytest.raises(Conflict, match="read app:1"):
        store.push("app:1")
    assert store.push("app:1", force=True).changed
    assert other.pull("app:1").changed and other.tree("app:1") == FILES


def test_single_file_that_is_not_what_its_digest_says(other: Store, store: Store, there: pathlib.Path) -> None:
    (there / "old.cockerimage").write_bytes(b"x" * 1000)
    (there / "old.cockerimage.sha256").write_text("%s  old.cockerimage\n" % ("0" * 64))
    with pytest.raises(Damaged, match="its .sha256 says sha256:0000"):
        other.pull("old")
    assert left_in(other) == []


def test_directory_that_may_not_be_written(store: Store, server: Server, there: pathlib.Path) -> None:
    server.lab.call("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(there))
    with pytest.raises((Denied, CockerError), match="make .*images"):
        store.push("app:1")
    server.lab.call("umount", str(there))


def test_one_removes_while_another_pushes(store: Store, other: Store, there: pathlib.Path) -> None:
    """The layer that the push found there is taken away before its image is visible: it is sent once more."""
    store.push("app:1", there="first:1")

    def push() -> t.Any:
        real = ssh_repository.Repository.commit

        def late(self: t.Any, *arguments: t.Any, **named: t.Any) -> None:
            if vars(late).setdefault("first", True):
                vars(late)["first"] = False
                with repositories.opened(open_host(store.home, dry_run=True), store.reach) as found:
                    stored = found.find(ssh_repository.layout.find_ref("first", "1"))
                    found.remove(stored)
            real(self, *arguments, **named)

        ssh_repository.Repository.commit = late  # type: ignore[method-assign]
        wish = RepositoryWish(sshlab.names.parse_image("app:1"), reach=store.reach)
        return sshlab.repository.ensure(open_host(store.home, dry_run=False), wish)

    assert store.run(push).result["layers_uploaded"] == 1
    assert [each["reference"] for each in store.search()] == ["app:1"]
    assert other.pull("app:1").changed and other.tree("app:1") == FILES


def test_an_image_that_comes_while_another_is_removed_keeps_its_layers(store: Store, other: Store, there: pathlib.Path) -> None:
    """It was pushed after the remover had looked what is needed."""
    store.push("app:1", there="first:1")

    def remove() -> None:
        real = ssh_repository.Repository._needed
        asked = []

        def late(self: t.Any) -> t.Any:
            found = real(self)
            if not asked:
                asked.append(True)
                wish = RepositoryWish(sshlab.names.parse_image("app:1"), reach=store.reach)
                sshlab.repository.ensure(open_host(store.home, dry_run=False), wish)
            return found

        ssh_repository.Repository._needed = late  # type: ignore[method-assign]
        with repositories.opened(open_host(store.home, dry_run=True), store.reach) as found:
            found.remove(found.find(ssh_repository.layout.find_ref("first", "1")))

    store.run(remove)
    assert other.pull("app:1").changed and other.tree("app:1") == FILES and os.listdir(there / "uploads") == []


def test_who_pushes_second_is_refused(store: Store, other: Store, there: pathlib.Path) -> None:
    """Both looked before either was there."""
    other.make("aaa:1", {"other": b"1"})

    def push() -> t.Any:
        real = ssh_repository.Repository.prepare

        def late(self: t.Any) -> None:
            ssh_repository.Repository.prepare = real  # type: ignore[method-assign]
            sshlab.repository.ensure(open_host(store.home, dry_run=False), RepositoryWish(sshlab.names.parse_image("app:1"), reach=store.reach))
            real(self)

        ssh_repository.Repository.prepare = late  # type: ignore[method-assign]
        wish = RepositoryWish(sshlab.names.parse_image("aaa:1"), target=sshlab.names.parse_image("app:1"), reach=other.reach)
        return sshlab.repository.ensure(open_host(other.home, dry_run=False), wish)

    with pytest.raises(Conflict, match="it exists"):
        other.run(push)
    assert files_below(there / "uploads") == {}
    assert other.pull("mine:1", there="app:1").changed and other.tree("mine:1") == FILES

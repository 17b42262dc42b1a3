# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import os
import pathlib
import threading
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict


@pytest.fixture(params=["openat2", "walk"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "walk":
        monkeypatch.setitem(libc._known, "openat2", False)


def test_written_file_has_content_and_mode_and_no_litter(tmp_path: pathlib.Path) -> None:
    fs.write_atomic(str(tmp_path / "a"), b"one")
    fs.write_atomic(str(tmp_path / "a"), b"two", mode=0o644, durable=False)
    assert (tmp_path / "a").read_bytes() == b"two" and (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["a"]


def test_failed_write_leaves_the_old_content(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fs.write_atomic(str(tmp_path / "a"), b"old")

    def broken(_fd: int) -> None:
        raise OSError(5, "broken")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="broken"):
        fs.write_atomic(str(tmp_path / "a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_a_line_is_appended_only_to_the_file_that_is_meant(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a"
    assert not fs.append(str(path), b"two", size=0) and not path.exists()
    path.write_bytes(b"one")
    inode = path.stat().st_ino
    assert fs.append(str(path), b"two", size=3) and not fs.append(str(path), b"six", size=3) and fs.append(str(path), b"", size=6)
    assert path.read_bytes() == b"onetwo" and path.stat().st_ino == inode


def test_what_does_not_fit_is_not_appended(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "a", os.write
    path.write_bytes(b"one")
    monkeypatch.setattr(os, "write", lambda fd, content: write(fd, content[:1]))
    with pytest.raises(OSError, match="No space left"):
        fs.append(str(path), b"two", size=3)
    assert path.read_bytes() == b"one"


def test_link_at_the_target_is_replaced_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "a").symlink_to("victim")
    fs.write_atomic(str(tmp_path / "a"), b"new")
    assert (tmp_path / "victim").read_text() == "precious" and not (tmp_path / "a").is_symlink()


def test_lock_keeps_others_out_and_goes_with_its_holder(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "lock")
    with fs.lock(path), pytest.raises(Conflict), fs.lock(path, timeout=0.05):
        pass
    with fs.lock(path):
        pass
    assert os.listdir(tmp_path) == []


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "lock")
    with fs.lock(path, shared=True):
        with fs.lock(path, shared=True), pytest.raises(Conflict), fs.lock(path):
            pass
        with pytest.raises(Conflict), fs.lock(path):
            pass
    assert os.listdir(tmp_path) == []


def test_lock_file_that_was_unlinked_is_nobodys(tmp_path: pathlib.Path) -> None:
    """Whoever waits on a file that its holder then unlinks must not believe to have the lock."""
    path, inside = str(tmp_path / "lock"), []

    def work(number: int) -> None:
        for _round in range(15):
            with fs.lock(path, timeout=30):
                inside.append(number)
                assert inside == [number]
                time.sleep(0.0005)
                inside.clear()

    failures: t.List[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and os.listdir(tmp_path) == []


@pytest.mark.usefixtures("_kernel")
def test_tree_goes_and_what_its_links_point_to_stays(tmp_path: pathlib.Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/file").write_text("precious")
    for folder in ("t/a/b/c", "t/a/d", "t/e"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("x")
        (tmp_path / folder / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "t/empty").mkdir()
    fs.remove_tree(str(tmp_path / "t"))
    fs.remove_tree(str(tmp_path / "t"))
    assert os.listdir(tmp_path) == ["victim"] and (tmp_path / "victim/file").exists()


@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
def test_what_is_no_directory_goes_too(tmp_path: pathlib.Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to(tmp_path)
    else:
        os.mkfifo(path)
    fs.remove_tree(str(path))
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("_kernel")
def test_deep_tree_goes_with_few_descriptors(tmp_path: pathlib.Path) -> None:
    top = fd = os.open(tmp_path, os.O_RDONLY)
    for level in range(1500):
        name = "level-%d" % level
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        if fd != top:
            os.close(fd)
        fd = below
    os.close(fd)
    os.close(top)
    fs.remove_tree(str(tmp_path / "level-0"))
    assert os.listdir(tmp_path) == []


def test_disk_usage_counts_blocks_and_links_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(b"x" * 100_000)
    once = fs.disk_usage(str(tmp_path))
    os.link(tmp_path / "d/a", tmp_path / "b")
    with open(tmp_path / "hole", "wb") as stream:
        stream.truncate(1 << 30)
    assert once >= 100_000 and fs.disk_usage(str(tmp_path)) == once
    assert fs.disk_usage(str(tmp_path / "nothing")) == 0


def test_attributes_are_those_of_the_link_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "l").symlink_to("a")
    try:
        os.setxattr(tmp_path / "a", "user.x", b"1")
    except OSError:
        pytest.skip("no extended attributes here")
    assert fs.xattrs(str(tmp_path / "a")) == {"user.x": b"1"} and fs.find_xattr(str(tmp_path / "a"), "user.x") == b"1"
    assert fs.xattrs(str(tmp_path / "l")) == {} and fs.find_xattr(str(tmp_path / "l"), "user.x") is None


def test_lock_ends_with_its_process(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "lock")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        fcntl.flock(os.open(path, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    with pytest.raises(Conflict), fs.lock(path):
        pass
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    with fs.lock(path):
        pass


def test_a_temporary_file_is_abandoned_when_its_writer_is_dead(tmp_path: pathlib.Path) -> None:
    dead = os.fork()
    if not dead:
        os._exit(0)
    os.waitpid(dead, 0)
    for name in (".spec.json.tmp-%d-ab" % dead, ".spec.json.tmp-%d-ab" % os.getpid(), "spec.json.tmp-%d-ab" % dead, ".x.tmp-me", "spec.json"):
        (tmp_path / name).write_bytes(b"")
    assert fs.abandoned(str(tmp_path)) == [str(tmp_path / (".spec.json.tmp-%d-ab" % dead))]
    assert fs.abandoned(str(tmp_path / "nowhere")) == []

# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives become layers: the exact tree or a clear error, never a write outside, nothing left of a failure."""
from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import pathlib
import signal
import stat
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, confine, decompress, gc, importtar, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.unit.storage import tars

pytestmark = pytest.mark.root

NOW = "2024-01-01T00:00:00Z"


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    found = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    found.ensure()
    return found


@pytest.fixture
def victim(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Beside the store; must look the same after every test."""
    path = tmp_path / "victim"
    path.mkdir()
    (path / "secret").write_bytes(b"precious")
    before = sorted((str(each), os.lstat(each)[:9]) for each in (path, *path.rglob("*")))
    yield path
    assert sorted((str(each), os.lstat(each)[:9]) for each in (path, *path.rglob("*"))) == before


def store(layout: Layout, content: bytes, *, name: str = "root.tar", limits: archive.Limits = archive.Limits()) -> pathlib.Path:  # noqa: B008
    path = pathlib.Path(layout.home).parent / name
    path.write_bytes(content)
    with layers.new(layout) as staging:
        layer = importtar.import_archive(staging, str(path), created=NOW, limits=limits)
    assert layers.get(layout, layer.id) == layer
    return pathlib.Path(layout.diff(layer.id))


def tree(layout: Layout, *parts: bytes) -> pathlib.Path:
    return store(layout, tars.archive(*parts))


def facts(path: pathlib.Path) -> t.Tuple[int, int, int]:
    found = os.lstat(path)
    return found.st_mode, found.st_uid, found.st_gid


def test_everything_an_archive_can_say(layout: Layout) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    attributes = [(b"SCHILY.xattr.security.capability", capability), (b"SCHILY.xattr.user.note", b"n"), (b"mtime", b"1600000000.123456789")]
    top = tree(
        layout, tars.directory(b"./", 0o711, uid=3, gid=4, mtime=77), tars.directory(b"d/", 0o2775, uid=1, gid=2, mtime=88),
        tars.file(b"d/suid", b"x", mode=0o4755, uid=5, gid=6), tars.pax(attributes), tars.file(b"d/capable", b"y", uid=7),
        tars.symlink(b"d/link", b"../anywhere", uid=8, gid=9, mtime=99), tars.hard_link(b"d/hard", b"d/suid"),
        tars.header(b"d/null", kind=b"3", device=(1, 3), mode=0o666), tars.header(b"d/pipe", kind=b"6", mode=0o600, uid=4),
        tars.header(b"d/whiteout", kind=b"3"), tars.directory(b"tmp", 0o1777),
    )
    assert facts(top) == (stat.S_IFDIR | 0o711, 3, 4) and os.lstat(top).st_mtime == 77
    assert facts(top / "d") == (stat.S_IFDIR | 0o2775, 1, 2) and os.lstat(top / "d").st_mtime == 88
    assert facts(top / "d/suid") == (stat.S_IFREG | 0o4755, 5, 6) and os.lstat(top / "d/suid").st_ino == os.lstat(top / "d/hard").st_ino
    assert fs.xattrs(str(top / "d/capable")) == {"security.capability": capability, "user.note": b"n"}
    assert os.lstat(top / "d/capable").st_mtime_ns == 1600000000123456789
    assert os.readlink(top / "d/link") == "../anywhere" and facts(top / "d/link")[1:] == (8, 9) and os.lstat(top / "d/link").st_mtime == 99
    assert facts(top / "d/null") == (stat.S_IFCHR | 0o666, 0, 0) and os.lstat(top / "d/null").st_rdev == os.makedev(1, 3)
    assert os.lstat(top / "d/whiteout").st_rdev == 0 and stat.S_ISFIFO(os.lstat(top / "d/pipe").st_mode)
    assert facts(top / "tmp")[0] == stat.S_IFDIR | 0o1777


def test_attributes_that_would_act_on_the_host_are_dropped(layout: Layout) -> None:
    names = (b"trusted.overlay.opaque", b"security.selinux", b"security.ima", b"security.evm", b"user.overlay.redirect", b"trusted.kept")
    top = tree(layout, tars.pax([(b"SCHILY.xattr." + name, b"y") for name in names]), tars.directory(b"d"))
    assert fs.xattrs(str(top / "d")) == {"trusted.kept": b"y"}


@pytest.mark.parametrize("part", [b"", tars.directory(b"a"), tars.file(b"a", b"old"), tars.symlink(b"a", b"b"), tars.header(b"a", kind=b"6"),
                                  tars.directory(b"a") + tars.file(b"a/deep/er", b"old")],
                         ids=["nothing", "directory", "file", "link", "fifo", "tree"])
@pytest.mark.parametrize("later", [tars.directory(b"a", 0o700), tars.file(b"a", b"new"), tars.symlink(b"a", b"c"),
                                   tars.header(b"a", kind=b"3", device=(1, 3)), tars.hard_link(b"a", b"other")],
                         ids=["directory", "file", "link", "device", "hard link"])
def test_the_last_entry_of_a_name_wins(layout: Layout, part: bytes, later: bytes) -> None:
    top = tree(layout, tars.file(b"other", b"other"), part, later)
    alone = tree(layout, tars.file(b"other", b"other"), later)
    assert (os.lstat(top / "a").st_mode, os.lstat(top / "a").st_size) == (os.lstat(alone / "a").st_mode, os.lstat(alone / "a").st_size) \
        or (top / "a").is_dir()
    assert (top / "other").read_bytes() == b"other"


def test_directory_that_comes_again_keeps_its_content_and_gets_the_new_mode(layout: Layout) -> None:
    top = tree(layout, tars.directory(b"d", 0o755), tars.file(b"d/f"), tars.directory(b"d", 0o700, uid=3))
    assert facts(top / "d") == (stat.S_IFDIR | 0o700, 3, 0) and (top / "d/f").exists()


def test_replaced_file_leaves_its_other_name_alone(layout: Layout) -> None:
    top = tree(layout, tars.file(b"a", b"old"), tars.hard_link(b"b", b"a"), tars.file(b"a", b"new"))
    assert ((top / "a").read_bytes(), (top / "b").read_bytes()) == (b"new", b"old")


def test_hard_link_to_itself_changes_nothing(layout: Layout) -> None:
    assert (tree(layout, tars.file(b"a", b"x"), tars.hard_link(b"a", b"./a")) / "a").read_bytes() == b"x"


def test_absolute_names_and_dots_stay_inside(layout: Layout) -> None:
    top = tree(layout, tars.file(b"/etc/passwd", b"1"), tars.file(b".//./a/./b", b"2"), tars.hard_link(b"c", b"/etc/passwd"))
    assert (top / "etc/passwd").read_bytes() == (top / "c").read_bytes() == b"1" and (top / "a/b").read_bytes() == b"2"


def test_missing_directories_are_made(layout: Layout) -> None:
    assert facts(tree(layout, tars.file(b"a/b/c")) / "a/b") == (stat.S_IFDIR | 0o755, 0, 0)


def test_links_on_the_way_lead_inside_only(layout: Layout, victim: pathlib.Path) -> None:
    outside = os.fsencode(victim)
    top = tree(layout, tars.symlink(b"lib", b"usr/lib"), tars.directory(b"usr"), tars.file(b"lib/x", b"1"), tars.symlink(b"out", outside),
               tars.file(b"out/secret", b"2"), tars.symlink(b"up", b"../../../../.."), tars.file(b"up/y", b"3"))
    assert (top / "usr/lib/x").read_bytes() == b"1" and (top / "y").read_bytes() == b"3"
    assert (top / os.fsdecode(outside).lstrip("/") / "secret").read_bytes() == b"2"


def test_directory_replaced_by_a_link_and_back(layout: Layout, victim: pathlib.Path) -> None:
    outside = os.fsencode(victim)
    parts = [tars.directory(b"d"), tars.file(b"d/a", b"1"), tars.symlink(b"d", outside), tars.file(b"d/secret", b"2"), tars.directory(b"d"),
             tars.file(b"d/secret", b"3"), tars.symlink(b"d", outside), tars.directory(b"d", 0o700, uid=1)]
    top = tree(layout, *parts)
    assert list((top / "d").iterdir()) == [] and facts(top / "d") == (stat.S_IFDIR | 0o700, 1, 0)


def test_mode_of_a_directory_that_became_a_link_is_nobodys(layout: Layout, victim: pathlib.Path) -> None:
    top = tree(layout, tars.directory(b"d", 0o4777, uid=9), tars.symlink(b"d", b"e"), tars.directory(b"e", 0o700))
    assert facts(top / "e") == (stat.S_IFDIR | 0o700, 0, 0)


@pytest.mark.parametrize("parts", [
    [tars.file(b"../victim/secret", b"x")],
    [tars.file(b"a/../../victim/secret", b"x")],
    [tars.directory(b"..")],
    [tars.file(b"f"), tars.hard_link(b"l", b"../victim/secret")],
    [tars.hard_link(b"l", b"victim/secret")],
    [tars.hard_link(b"l", b"/proc/self/exe")],
    [tars.symlink(b"s", b"../../victim"), tars.hard_link(b"l", b"s/secret")],
    [tars.directory(b"d"), tars.hard_link(b"l", b"d")],
    [tars.file(b".", b"x")],
    [tars.symlink(b"/", b"victim")],
    [tars.file(b"f", b"x"), tars.file(b"f/below", b"x")],
    [tars.symlink(b"a", b"b"), tars.symlink(b"b", b"a"), tars.file(b"a/x", b"x")],
    [tars.pax([(b"path", b"n" * 256)]), tars.file(b"x")],
    [tars.pax([(b"path", b"d/" * 5000 + b"f")]), tars.file(b"x")],
    [tars.header(b"dev", kind=b"3", device=(0o7777777, 1))],
    [tars.pax([(b"linkpath", b"t" * 5000)]), tars.symlink(b"l", b"x")],
    [tars.symlink(b"l", b"")],
])
def test_what_leads_out_or_makes_no_sense_is_refused_and_leaves_nothing(layout: Layout, victim: pathlib.Path, parts: t.List[bytes]) -> None:
    with pytest.raises(Damaged):
        tree(layout, tars.file(b"first", b"x"), *parts)
    assert os.listdir(layout.layers) == []


def test_names_are_bytes(layout: Layout) -> None:
    top = tree(layout, tars.file(b"\xff\xfe\x01\n", b"x"))
    assert os.listdir(os.fsencode(top)) == [b"\xff\xfe\x01\n"]


def test_deep_trees_come_and_go(layout: Layout) -> None:
    levels = 1200
    parts = [tars.pax([(b"path", b"/".join([b"directory-%04d" % (each + 1) for each in range(depth + 1)]))]) + tars.directory(b"x", 0o700)
             for depth in range(0, levels, 40)]
    top = tree(layout, *parts, tars.pax([(b"path", b"/".join([b"directory-%04d" % (each + 1) for each in range(levels)]) + b"/f")]), tars.file(b"x"))
    depth, fd = 0, os.open(top, os.O_RDONLY)
    names = os.listdir(fd)
    while names and names != ["f"]:
        below = os.open(names[0], os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd, depth, names = below, depth + 1, os.listdir(below)
    os.close(fd)
    assert depth == levels
    layers.remove(layout, top.parent.name)
    assert os.listdir(layout.layers) == []


def test_sparse_file_of_terabytes_takes_no_room(layout: Layout) -> None:
    size = 1 << 40
    part = tars.pax([(b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.map", b"%d,512" % (size - 512))]) + tars.file(b"s", b"Z" * 512)
    top = store(layout, tars.archive(part), limits=archive.Limits(bytes=2 << 40))
    found = os.stat(top / "s")
    assert found.st_size == size and found.st_blocks < 100
    with pytest.raises(Damaged, match="more than"):
        tree(layout, part)


CONTENT = tars.archive(tars.file(b"a", b"data" * 5000), tars.file(b"b", os.urandom(3000)))


def zstd(content: bytes, tmp_path: pathlib.Path) -> bytes:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(content)
    pid = os.posix_spawn(decompress._ZSTD_PROGRAMS[0], ["zstd", "-qf", str(plain), "-o", str(packed)], {})
    assert os.waitpid(pid, 0)[1] == 0
    return packed.read_bytes()


def packed(kind: str, content: bytes, tmp_path: pathlib.Path) -> bytes:
    if kind == "zstd":
        return zstd(content, tmp_path)
    compress: t.Dict[str, t.Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "plain": bytes}
    return compress[kind](content)


needs_zstd = pytest.mark.skipif(not os.path.exists(decompress._ZSTD_PROGRAMS[0]), reason="no zstd program")
KINDS = ["gzip", "bzip2", "xz", pytest.param("zstd", marks=needs_zstd)]


@pytest.mark.parametrize("kind", ["plain", *KINDS])
def test_every_compression(layout: Layout, tmp_path: pathlib.Path, kind: str) -> None:
    content = packed(kind, CONTENT, tmp_path)
    assert (store(layout, content) / "a").read_bytes() == b"data" * 5000
    assert (store(layout, packed(kind, CONTENT[:7000], tmp_path) + packed(kind, CONTENT[7000:], tmp_path)) / "a").stat().st_size == 20000


@pytest.mark.parametrize("kind", ["plain", *KINDS])
@pytest.mark.parametrize("how", ["short by one", "short by ten", "half", "flipped", "garbage after"])
def test_damage_in_the_compressed_stream_is_found(layout: Layout, tmp_path: pathlib.Path, kind: str, how: str) -> None:
    content = packed(kind, CONTENT, tmp_path)
    if kind == "plain" and how == "flipped":
        pytest.skip("a tar has no checksum over its data")
    middle = len(content) // 2
    damaged = {
        "short by one": content[:-1], "short by ten": content[:-10], "half": content[:middle], "garbage after": content + b"garbage!",
        "flipped": content[:middle] + bytes([content[middle] ^ 0x55]) + content[middle + 1:],
    }[how]
    with pytest.raises(Damaged):
        store(layout, damaged)
    assert os.listdir(layout.layers) == []


def test_decompression_bomb_ends_at_the_limit(layout: Layout) -> None:
    bomb = tars.header(b"zeros", size=8 << 30) + bytes(200 << 20)
    with pytest.raises(Damaged, match="more than"):
        store(layout, gzip.compress(bomb, 1), limits=archive.Limits(bytes=1 << 30))
    assert os.listdir(layout.layers) == []


def test_missing_zstd_is_said(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "_ZSTD_PROGRAMS", ("/nonexistent/zstd",))
    monkeypatch.setattr(decompress, "has_own", lambda kind: kind != "zstd")
    with pytest.raises(Unsupported, match="zstd"):
        store(layout, b"\x28\xb5\x2f\xfd" + bytes(600))


@pytest.mark.parametrize("content", [b"", b"x", b"\x1f\x8b", bytes(100), b"BZh9", b"\xfd7zXZ\0"])
def test_files_that_are_no_archives(layout: Layout, content: bytes) -> None:
    with pytest.raises(Damaged):
        store(layout, content)


def test_archive_that_is_not_there_or_no_file(layout: Layout, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with layers.new(layout) as staging:
        with pytest.raises(NotFound):
            importtar.import_archive(staging, str(tmp_path / "nothing"), created=NOW)
        with pytest.raises(Damaged, match="no regular file"):
            importtar.import_archive(staging, str(tmp_path / "fifo"), created=NOW)


def test_digest_is_that_of_the_file(layout: Layout, tmp_path: pathlib.Path) -> None:
    top = store(layout, gzip.compress(CONTENT))
    layer = layers.get(layout, top.parent.name)
    assert layer.digest == importtar.digest(str(tmp_path / "root.tar")) and (layer.entries, layer.size) == (2, 23000)


def test_full_disk_is_said_and_leaves_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fs, "write_all", full)
    with pytest.raises(CockerError, match="No space left on device"):
        tree(layout, tars.file(b"a", b"x"))
    assert os.listdir(layout.layers) == []


def test_work_is_confined_to_its_directory(tmp_path: pathlib.Path) -> None:
    with confine.Child(lambda: [os.listdir("/"), os.path.exists("/etc/passwd"), os.getcwd()], str(tmp_path), op="look") as child:
        assert child.result() == [[], False, "/"]


def test_killed_work_is_an_error(tmp_path: pathlib.Path) -> None:
    with confine.Child(lambda: os.kill(os.getpid(), signal.SIGKILL), str(tmp_path), op="unpack") as child, pytest.raises(CockerError, match="signal 9"):
        child.result()


def slow_archive(path: pathlib.Path) -> None:
    with open(path, "wb") as stream:
        for number in range(60000):
            stream.write(tars.file(b"file-%d" % number, b"x"))
        stream.write(tars.END)


def test_killed_import_leaves_litter_that_the_next_collection_takes(layout: Layout, tmp_path: pathlib.Path) -> None:
    slow_archive(tmp_path / "slow.tar")
    pid = os.fork()
    if pid == 0:
        try:
            with layers.new(layout) as staging:
                importtar.import_archive(staging, str(tmp_path / "slow.tar"), created=NOW)
        finally:
            os._exit(0)
    assert poll.until(lambda: any(os.scandir(os.path.join(layout.layers, name, "diff")) for name in os.listdir(layout.layers)), timeout=20)
    assert gc.collect(layout, lambda: ()).litter == (), "its maker lives"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    time.sleep(0)
    assert poll.until(lambda: gc.collect(layout, lambda: ()).litter or not os.listdir(layout.layers), timeout=20)
    assert poll.until(lambda: os.listdir(layout.layers) == [], timeout=20)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of images in archives and back: what a stack of them shows, and the same bytes again."""
from __future__ import annotations

import gzip
import hashlib
import io
import os
import pathlib
import stat
import tarfile
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import decompress, gc, importlayer, layerblob, layers, snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.importlayer import Expected
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import kernel_sandbox
from ansible_collections.cocker.engine.tests.unit.storage import tars

pytestmark = pytest.mark.root

NOW = "2024-01-01T00:00:00Z"
OPAQUE = b".wh..wh..opq"


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    found = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    found.ensure()
    return found


def sha(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def add(layout: Layout, content: bytes, **expected: t.Any) -> Layer:
    with layers.new(layout) as staging:
        return importlayer.import_layer(staging, [content], created=NOW, source="test", expected=Expected(**expected))


def stack(layout: Layout, *contents: bytes) -> t.Dict[str, str]:
    """What the layers show, mounted: path to what it is."""
    found = [add(layout, tars.archive(content)) for content in contents]
    return seen(layout, [layer.id for layer in found])


def seen(layout: Layout, ids: t.Sequence[str]) -> t.Dict[str, str]:
    base = pathlib.Path(layout.home).parent
    for name in ("upper", "work", "merged"):
        (base / name).mkdir(exist_ok=True)

    def look() -> t.Dict[str, str]:
        mounts.overlay(str(base / "merged"), lower=snapshots.lower_dirs(layout, [ids]), upper=str(base / "upper"), work=str(base / "work"))
        return listing(base / "merged")

    return t.cast(t.Dict[str, str], kernel_sandbox.run(look))


def listing(top: pathlib.Path) -> t.Dict[str, str]:
    found = {}
    for folder, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = described(path)
    return found


def described(path: str) -> str:
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return pathlib.Path(path).read_text()
    return "d" if stat.S_ISDIR(mode) else "->" + os.readlink(path) if stat.S_ISLNK(mode) else "%o" % mode


BELOW = tars.directory(b"d") + tars.file(b"d/a", b"1") + tars.file(b"d/b", b"1") + tars.directory(b"d/e") + tars.file(b"d/e/c", b"1") + tars.file(b"f", b"1")
ALL = {"d": "d", "d/a": "1", "d/b": "1", "d/e": "d", "d/e/c": "1", "f": "1"}


def but(*without: str, **more: str) -> t.Dict[str, str]:
    return {**{path: what for path, what in ALL.items() if path not in without}, **{path.replace("_", "/"): what for path, what in more.items()}}


@pytest.mark.parametrize("above, shown", [
    (tars.file(b"d/.wh.a"), but("d/a")),
    (tars.directory(b"d") + tars.file(b"d/.wh.a") + tars.file(b"d/x", b"2"), but("d/a", d_x="2")),
    (tars.file(b".wh.d"), but("d", "d/a", "d/b", "d/e", "d/e/c")),
    (tars.file(b"d/.wh.a") + tars.file(b"d/a", b"2"), but(d_a="2")),
    (tars.file(b"d/a", b"2") + tars.file(b"d/.wh.a"), but(d_a="2")),
    (tars.file(b".wh.d") + tars.directory(b"d") + tars.file(b"d/x", b"2"), but("d/a", "d/b", "d/e", "d/e/c", d_x="2")),
    (tars.file(b".wh.d") + tars.file(b"d/x", b"2"), but("d/a", "d/b", "d/e", "d/e/c", d_x="2")),
    (tars.directory(b"d") + tars.file(b"d/x", b"2") + tars.file(b".wh.d"), but("d/a", "d/b", "d/e", "d/e/c", d_x="2")),
    (tars.directory(b"d") + tars.file(b"d/" + OPAQUE) + tars.file(b"d/x", b"2"), but("d/a", "d/b", "d/e", "d/e/c", d_x="2")),
    (tars.file(b"d/x", b"2") + tars.file(b"d/" + OPAQUE), but("d/a", "d/b", "d/e", "d/e/c", d_x="2")),
    (tars.directory(b"d") + tars.file(b"d/" + OPAQUE) + tars.file(b"d/.wh.a"), but("d/a", "d/b", "d/e", "d/e/c")),
    (tars.file(b"d/.wh.none"), ALL),
    (tars.file(b"n/.wh.none") + tars.file(b"n/x", b"2"), but(n="d", n_x="2")),
    (tars.file(b"d/e/" + OPAQUE), but("d/e/c")),
    (tars.file(b".wh..wh.aufs") + tars.directory(b".wh..wh.plnk") + tars.file(b".wh..wh.plnk/1.2", b"x"), ALL),
    (tars.file(b".wh.f") + tars.directory(b"f"), but(f="d")),
    (tars.file(b".wh.d") + tars.symlink(b"d", b"f"), but("d", "d/a", "d/b", "d/e", "d/e/c", d="->f")),
    (tars.file(OPAQUE) + tars.file(b"only", b"2"), {"only": "2"}),
    (tars.file(b"d/a.wh.b", b"2") + tars.file(b"d/.whatever", b"2"), {**ALL, "d/a.wh.b": "2", "d/.whatever": "2"}),
    (tars.hard_link(b"d/.wh.a", b".wh..wh.aufs") + tars.file(b"d/.wh.b", b"data that nobody reads"), but("d/a", "d/b")),
], ids=range(20))
def test_what_a_layer_hides(layout: Layout, above: bytes, shown: t.Dict[str, str]) -> None:
    assert stack(layout, BELOW, above) == shown


def test_whiteouts_of_a_lowest_layer_are_no_ghosts(layout: Layout) -> None:
    assert stack(layout, tars.directory(b"d") + tars.file(b"d/.wh.ghost") + tars.file(b".wh.other")) == {"d": "d"}


def test_the_third_layer_hides_what_the_second_brought_back(layout: Layout) -> None:
    assert stack(layout, BELOW, tars.file(b".wh.d") + tars.file(b"d/x", b"2"), tars.file(b"d/.wh.x") + tars.file(b"d/y", b"3")) == {
        "f": "1", "d": "d", "d/y": "3"}


@pytest.mark.parametrize("part", [
    tars.file(b".wh..."), tars.file(b".wh."), tars.file(b"d/.wh.."), tars.directory(b".wh.d") + tars.file(b".wh.d/x"),
    tars.file(b"f") + tars.file(b"f/.wh.x"), tars.file(b"../.wh.x"), tars.file(b"a/../../.wh.x"), tars.hard_link(b"x", b".wh.y"),
    tars.file(b"x", uid=2**32 - 1),
])
def test_whiteouts_that_make_no_sense_are_refused_and_leave_nothing(layout: Layout, part: bytes) -> None:
    with pytest.raises(Damaged):
        add(layout, tars.archive(tars.file(b"first"), part))
    assert os.listdir(layout.layers) == []


def everything() -> bytes:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    long = b"/".join([b"directory-%02d" % number for number in range(20)])
    return tars.archive(
        tars.directory(b"./", 0o711, uid=3, gid=4, mtime=77), tars.directory(b"d", 0o2775, uid=1, gid=2, mtime=88),
        tars.file(b"d/suid", b"x", mode=0o4755, uid=5, gid=6), tars.pax([(b"mtime", b"1600000000.123456789")]), tars.file(b"d/late", b"y"),
        tars.pax([(b"SCHILY.xattr.security.capability", capability), (b"SCHILY.xattr.user.note", b"a\nb\0c")]), tars.file(b"d/capable", b"y"),
        tars.pax([(b"SCHILY.xattr.trusted.overlay.redirect", b"/x"), (b"SCHILY.xattr.security.selinux", b"x")]), tars.file(b"d/odd", b"y"),
        tars.hard_link(b"d/hard", b"d/suid"), tars.symlink(b"d/link", b"../" + b"t" * 200, uid=8, gid=9, mtime=99),
        tars.header(b"d/null", kind=b"3", device=(1, 3), mode=0o666), tars.header(b"d/pipe", kind=b"6", mode=0o600, uid=4),
        tars.pax([(b"path", long + b"/f")]), tars.file(b"x", b"deep"), tars.file(b"\xff\xfe\n", b"bytes"), tars.file(b"big", b"z" * 70000, uid=1 << 22),
        tars.pax([(b"mtime", b"-1.5")]), tars.file(b"early"), tars.file(b"d/.wh.gone"), tars.file(b"o/" + OPAQUE), tars.file(b"o/x"),
    )


def written(layout: Layout, layer: Layer, kind: str) -> t.Tuple[bytes, layerblob.Written]:
    out = io.BytesIO()
    found = layerblob.write(layout, layer, out.write, kind=kind)
    return out.getvalue(), found


def test_a_layer_comes_back_as_it_is_written(layout: Layout) -> None:
    first = add(layout, everything())
    content, found = written(layout, first, "plain")
    assert (found.diff_id, found.blob.size) == (sha(content), len(content))
    again = add(layout, content, diff_id=found.diff_id, digest=found.diff_id, size=len(content))
    assert written(layout, again, "plain")[0] == content
    assert tree_of(layout.diff(first.id)) == tree_of(layout.diff(again.id))
    assert fs.xattrs(os.path.join(layout.diff(again.id), "d/odd")) == {}


def tree_of(top: str) -> t.Dict[str, t.Tuple[t.Any, ...]]:
    found = {}
    for folder, directories, files in os.walk(top):
        for path in [folder] + [os.path.join(folder, name) for name in directories + files]:
            facts = os.lstat(path)
            xattrs = fs.xattrs(path)
            found[os.path.relpath(path, top)] = (
                facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, facts.st_rdev, facts.st_nlink, sorted(xattrs.items()),
                pathlib.Path(path).read_bytes() if stat.S_ISREG(facts.st_mode) else b"")
    return found


def test_other_tools_read_what_is_written(layout: Layout, tmp_path: pathlib.Path) -> None:
    content, _found = written(layout, add(layout, everything()), "plain")
    with tarfile.open(fileobj=io.BytesIO(content)) as reader:
        names = {entry.name: entry for entry in reader}
    assert names["d/hard"].linkname == "d/suid" or names["d/suid"].linkname == "d/hard"
    assert names["big"].uid == 1 << 22 and names["big"].size == 70000 and names["early"].mtime == -1.5
    assert names["d/.wh.gone"].size == 0 and "o/.wh..wh..opq" in names and names["."].mode == 0o711


@pytest.mark.parametrize("kind", ["gzip", pytest.param("zstd", marks=pytest.mark.skipif(not decompress.zstd_program(), reason="no zstd"))])
def test_compressed_layers_are_the_same_bytes_each_time_and_known_afterwards(layout: Layout, kind: str) -> None:
    layer = add(layout, everything())
    content, found = written(layout, layer, kind)
    assert (sha(content), len(content)) == (found.blob.digest, found.blob.size)
    assert written(layout, layer, kind)[0] == content
    again = add(layout, content, diff_id=found.diff_id, digest=found.blob.digest, size=len(content))
    assert (again.diff_id, again.blob) == (found.diff_id, found.blob)
    layer = layers.get(layout, layer.id)
    assert layerblob.find(layer, kind=kind) == found and layerblob.find(layer, kind="plain") is not None
    assert layerblob.describe(layout, layer, kind=kind) == found


def test_gzip_holds_neither_name_nor_time(layout: Layout) -> None:
    content, _found = written(layout, add(layout, everything()), "gzip")
    assert content[3:8] == bytes(5) and gzip.decompress(content)


def test_a_file_of_holes_stays_one(layout: Layout) -> None:
    size = 1 << 34
    part = tars.pax([(b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.map", b"4096,4096,%d,4096" % (1 << 33))]) + tars.file(b"s", b"Z" * 8192)
    content, _found = written(layout, add(layout, tars.archive(part)), "plain")
    assert len(content) < 1 << 20
    again = add(layout, content)
    facts = os.stat(os.path.join(layout.diff(again.id), "s"))
    assert facts.st_size == size and facts.st_blocks < 100
    with open(os.path.join(layout.diff(again.id), "s"), "rb") as stream:
        stream.seek(1 << 33)
        assert stream.read(4097) == b"Z" * 4096 + b"\0"
    assert written(layout, again, "plain")[0] == content


def test_implied_directories_have_no_time_of_their_own(layout: Layout) -> None:
    content = tars.archive(tars.file(b"a/b/c"))
    assert written(layout, add(layout, content), "plain")[0] == written(layout, add(layout, content), "plain")[0]


@pytest.mark.parametrize("expected, text", [
    ({"diff_id": "sha256:" + "0" * 64}, "uncompressed digest"), ({"digest": "sha256:" + "0" * 64}, "its digest is"),
    ({"size": 5}, "more than the 5 bytes"), ({"size": 1 << 20}, "were announced"),
])
@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_what_was_not_announced_is_refused(layout: Layout, kind: str, expected: t.Any, text: str) -> None:
    content = everything() if kind == "plain" else gzip.compress(everything())
    with pytest.raises(Damaged, match=text):
        add(layout, content, **expected)
    assert os.listdir(layout.layers) == []


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:len(c) // 2], lambda c: c + b"garbage", lambda c: b"", lambda c: c[:300]])
@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_damaged_streams_leave_nothing(layout: Layout, kind: str, damage: t.Callable[[bytes], bytes]) -> None:
    content = everything() if kind == "plain" else gzip.compress(everything())
    with pytest.raises(Damaged):
        add(layout, damage(content))
    assert os.listdir(layout.layers) == []


def test_a_source_that_fails_is_the_error(layout: Layout) -> None:
    def broken() -> t.Iterator[bytes]:
        yield everything()[:2000]
        raise CockerError("download", "layer", "the connection was lost")

    with pytest.raises(CockerError, match="connection was lost"), layers.new(layout) as staging:
        importlayer.import_layer(staging, broken(), created=NOW, source="test")
    assert os.listdir(layout.layers) == []


def test_many_small_pieces(layout: Layout) -> None:
    content = everything()
    with layers.new(layout) as staging:
        layer = importlayer.import_layer(staging, (content[at:at + 7] for at in range(0, len(content), 7)), created=NOW, source="test")
    assert layer.diff_id == sha(content)


def test_a_layer_of_the_store_is_found_by_its_digest_and_kept_while_it_is_used(layout: Layout) -> None:
    content = tars.archive(tars.file(b"a"))
    layer = add(layout, content)
    with layers.batch(layout) as batch:
        assert batch.reuse(sha(content)) == layer
        assert batch.reuse(sha(content)) is None, "overlayfs takes no directory twice"
        assert batch.reuse(sha(b"")) is None
        assert gc.collect(layout, lambda: ()).layers == ()
        with layers.batch(layout) as other:
            assert other.reuse(sha(content)) == layer
    assert gc.collect(layout, lambda: ()).layers == (layer.id,)


def test_a_layer_is_found_by_the_digest_that_it_was_written_with(layout: Layout) -> None:
    layer = add(layout, everything())
    found = written(layout, layer, "gzip")[1]
    with layers.batch(layout) as batch:
        reused = batch.reuse(found.diff_id)
        assert reused is not None and reused.id == layer.id and found.diff_id != layer.diff_id


def test_a_layer_in_the_making_is_nobody_elses(layout: Layout) -> None:
    content = tars.archive(tars.file(b"a"))
    with layers.batch(layout) as batch:
        importlayer.import_layer(batch.stage(), [content], created=NOW, source="test")
        with layers.batch(layout) as other:
            assert other.reuse(sha(content)) is None


def test_a_failed_batch_takes_its_committed_layers_and_no_other(layout: Layout) -> None:
    kept = add(layout, tars.archive(tars.file(b"kept")))
    with pytest.raises(KeyError), layers.batch(layout) as batch:
        assert batch.reuse(kept.diff_id)
        importlayer.import_layer(batch.stage(), [tars.archive(tars.file(b"new"))], created=NOW, source="test")
        batch.stage()
        raise KeyError
    assert os.listdir(layout.layers) == [kept.id]


def test_what_no_archive_can_say_is_refused(layout: Layout) -> None:
    layer = add(layout, tars.archive(tars.file(b"a")))
    pathlib.Path(layout.diff(layer.id), ".wh.name").touch()
    with pytest.raises(Unsupported, match="begins with .wh."):
        written(layout, layer, "plain")
    os.unlink(os.path.join(layout.diff(layer.id), ".wh.name"))
    os.mkdir(os.path.join(layout.diff(layer.id), "moved"))
    os.setxattr(os.path.join(layout.diff(layer.id), "moved"), "trusted.overlay.redirect", b"/from")
    with pytest.raises(Unsupported, match="another layer"):
        written(layout, layer, "plain")


def test_a_large_layer_that_is_damaged_at_its_start_ends_at_once(layout: Layout) -> None:
    part = tars.archive(tars.file(b"../out", b"x"))
    with pytest.raises(Damaged, match="leads out"), layers.new(layout) as staging:
        importlayer.import_layer(staging, iter([part] + [bytes(1 << 20)] * 64), created=NOW, source="test")

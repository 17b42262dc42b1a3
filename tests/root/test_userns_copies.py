# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers with users of their own on a file system that cannot show other owners: an ext3, which the kernel refuses to mount so."""
from __future__ import annotations

import dataclasses
import os
import pathlib
import stat
import struct
import subprocess
import tempfile
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    containers_together,
    copy,
    hostinfo,
    images as all_images,
    maintenance,
    observe,
    prune,
    volume_archive,
    volumes,
    written,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, mounts as kernel_mounts, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.contentfile import Content
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import CONTENT, Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import PruneWish
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import (
    ContainersWish,
    CopyWish,
    ImageWish,
    Member,
    VolumeArchiveWish,
    VolumeWish,
)
from ansible_collections.cocker.engine.plugins.module_utils.storage import idranges, images, owners
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = pytest.mark.root

SIZE = 192 << 20
NO_ID = 0xFFFFFFFF
DATA = Mount("volume", "data", "/www")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    """The disk is in memory: these tests write whole trees to it."""
    place = tmp_path_factory.mktemp("place")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as image:
        os.truncate(image.name, SIZE)
        subprocess.run(["mkfs.ext3", "-q", image.name], check=True)
        if subprocess.run(["mount", "-o", "loop", "-t", "ext3", image.name, str(place)], check=False).returncode:
            pytest.skip("this kernel mounts no ext3")
        try:
            with enginelab.host(str(place)) as found:
                found.lab.run(refuse_maps, found)
                yield found
        finally:
            subprocess.run(["umount", str(place)], check=True)


def refuse_maps(engine: enginelab.Engine) -> None:
    """What these tests stand on: the kernel itself cannot do here what it does elsewhere."""
    maps = idmap.text(idmap.whole(idranges.FIRST).uids)
    user, _network = userns.make(maps, maps)
    tree = kernel_mounts.open_tree(engine.home, clone=True)
    with pytest.raises(Exception, match="Invalid argument"):
        userns.show_mapped(tree, user)
    os.close(tree)
    os.close(user)


def first(engine: enginelab.Engine, name: str = "web") -> int:
    return t.cast(int, engine.run(lambda host: idranges.find(host.layout, name)))


def upper(engine: enginelab.Engine, name: str = "web") -> str:
    return os.path.join(engine.layout.container(name), "upper")


def copies(engine: enginelab.Engine) -> t.List[str]:
    return sorted(os.path.join(layer, name) for layer in engine.layout.layer_ids() for name in os.listdir(engine.layout.layer(layer))
                  if name.startswith("owners-"))


@pytest.mark.parametrize("init", [False, True])
def test_root_inside_is_nobody_outside(engine: enginelab.Engine, init: bool) -> None:
    assert engine.run(hostinfo.collect)["host_info"]["UserNamespaces"] == "copied"
    before = copies(engine)
    foreseen = engine.start(userns_mode="auto", init=init, check=True)
    assert copies(engine) == before
    started = engine.start(userns_mode="auto", init=init)
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (started.plan, started.actions, started.diff)
    assert not engine.start(userns_mode="auto", init=init).changed
    number = first(engine)
    assert engine.read("web", "id -u; cat /proc/self/uid_map | tr -s ' '").split("\n") == ["0", " 0 %d 65536" % number]
    assert engine.read("web", "touch /new; chown 5:6 /new; stat -c %u:%g / /new /etc /bin/busybox /dev/null /etc/hosts /etc/resolv.conf") \
        == "0:0\n5:6\n0:0\n0:0\n0:0\n0:0\n0:0"
    assert engine.read("web", "echo 127.0.0.9 me >> /etc/hosts; rm /etc/group; mkdir /www/dir; ls /www") == "dir\nindex.html"
    found = os.lstat(os.path.join(upper(engine), "new"))
    assert (found.st_uid, found.st_gid) == (number + 5, number + 6)
    assert engine.read("web", "su web -s /bin/sh -c 'id -u; cat /www/index.html'") == "1000\nhello"
    assert engine.start(userns_mode="auto", init=init, restart=True).changed
    assert engine.read("web", "stat -c %u:%g /new; ls /etc/group 2>/dev/null; true") == "5:6"


def test_a_copy_has_all_that_the_layer_has(engine: enginelab.Engine) -> None:
    top = engine.layout.diff("odd")
    make_odd(top)
    images.save(engine.layout, ImageRecord("odd", "1", ("odd",), ImageConfig(), "2026-01-01T00:00:00Z", Provenance("directory")))
    engine.start(userns_mode="auto", images=("box", "odd:1"))
    maps = idmap.whole(first(engine))
    copied = os.path.join(engine.layout.layer("odd"), owners.copy_name(maps))
    assert described(copied) == described(top, owners.Shift(None, maps))
    assert os.stat(os.path.join(copied, "one")).st_ino == os.stat(os.path.join(copied, "two")).st_ino
    assert os.stat(os.path.join(copied, "holes")).st_blocks < 100
    assert engine.read("web", "ls /etc/mine /etc/group /www; stat -c '%u:%g %a' /one /suid /far").split("\n") \
        == ["/etc/group", "/etc/mine", "", "/www:", "5:6 640", "1000:0 6755", "65534:65534 644"]
    made = os.stat(copied).st_ino
    engine.start("other", uidmap=maps.uids, gidmap=maps.gids, images=("box", "odd:1"))
    assert os.stat(copied).st_ino == made       # one for all that have these users
    for name in ("web", "other"):
        engine.ensure(name, state="absent")
    images.remove(engine.layout, "odd", "1")


def test_two_at_once(engine: enginelab.Engine) -> None:
    def ensure() -> t.Any:
        members = [Member(enginelab.wish(name, images=("box",), command=enginelab.SLEEP, userns_mode="auto"), ()) for name in ("a", "b")]
        answers = containers_together.ensure(open_host(engine.home, dry_run=False), ContainersWish(tuple(members), ("a", "b")))
        return [answer.plan["action"] for _name, answer in answers]

    assert engine.lab.run(ensure) == ["create", "create"]
    for name in ("a", "b"):
        assert engine.read(name, "stat -c %u:%g /etc /etc/hosts; touch /x; stat -c %u /x").split() == ["0:0", "0:0", "0"]
    assert first(engine, "a") != first(engine, "b")
    assert engine.lab.run(ensure) == ["none", "none"]


def make_odd(top: str) -> None:
    for path in ("etc", "www"):
        os.makedirs(os.path.join(top, path), mode=0o755)
    os.setxattr(os.path.join(top, "www"), "trusted.overlay.opaque", b"y")
    for name, mode in (("one", 0o640), ("suid", 0o6755), ("capable", 0o755), ("listed", 0o664), ("etc/mine", 0o600), ("far", 0o644)):
        with open(os.path.join(top, name), "wb") as file:
            file.write(b"")
        os.chmod(os.path.join(top, name), mode)
    with open(enginelab.BUSYBOX, "rb") as source, open(os.path.join(top, "suid"), "wb") as file:
        file.write(source.read())
    os.link(os.path.join(top, "one"), os.path.join(top, "two"))
    for name, owner in (("one", (5, 6)), ("suid", (1000, 0)), ("far", (200000, 200000))):
        os.chown(os.path.join(top, name), *owner)
    os.chmod(os.path.join(top, "suid"), 0o6755)
    os.setxattr(os.path.join(top, "capable"), "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    acl = struct.pack("<I" + "HHI" * 5, 2, 1, 6, NO_ID, 2, 4, 1000, 4, 4, NO_ID, 0x10, 6, NO_ID, 0x20, 4, NO_ID)
    os.setxattr(os.path.join(top, "listed"), "system.posix_acl_access", acl)
    with open(os.path.join(top, "holes"), "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    os.symlink("/nowhere", os.path.join(top, "link"))
    os.lchown(os.path.join(top, "link"), 7, 8)
    os.mkfifo(os.path.join(top, "fifo"))
    os.mknod(os.path.join(top, "etc/gone"), stat.S_IFCHR, 0)
    os.utime(os.path.join(top, "one"), ns=(1, 10**18 + 7))


def described(top: str, shift: owners.Shift = owners.AS_IT_IS) -> t.Dict[str, t.Any]:
    found = {}
    for where, directories, names in os.walk(top):
        for path in [where, *(os.path.join(where, name) for name in names + directories)]:
            facts = os.lstat(path)
            content = b"" if not stat.S_ISREG(facts.st_mode) else pathlib.Path(path).read_bytes()
            found[os.path.relpath(path, top)] = (
                facts.st_mode, shift.owner(facts), facts.st_mtime_ns, facts.st_rdev, content, shift.attributes(fs.xattrs(path)))
    return found


def test_a_change_to_and_from_it_keeps_what_was_written(engine: enginelab.Engine) -> None:
    engine.start()
    engine.read("web", "echo kept > /kept; chown 1000:1000 /kept; ln /kept /again; rm -r /www; mkdir /www")
    maps = {"uidmap": idmap.parse(["0:500000:65536"], "uidmap"), "gidmap": idmap.parse(["0:600000:65536"], "gidmap")}
    for said in ({"userns_mode": "auto"}, maps, {"userns_mode": "auto"}, {}):
        assert engine.start(**said).plan["action"] == "restart"
        assert engine.read("web", "cat /kept; stat -c '%u:%g %h' /kept; ls /www; echo more > /more; chown 3:4 /more") == "kept\n1000:1000 2"
    found = os.lstat(os.path.join(upper(engine), "more"))
    assert (found.st_uid, found.st_gid, owners.find(upper(engine))) == (3, 4, None)


def test_a_start_that_fails_leaves_the_former_one(engine: enginelab.Engine) -> None:
    engine.start(init=False)
    engine.read("web", "echo kept > /kept; chown 1000:1000 /kept")
    for point in ("storage.shifting._copy", "kernel.fs.exchange"):
        with pytest.raises(OSError, match="made to fail"):
            engine.start(userns_mode="auto", before=enginelab.failing(point))
        assert engine.read("web", "cat /kept; stat -c %u /kept; cat /proc/self/uid_map | tr -s ' '") == "kept\n1000\n 0 0 4294967295"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("point", ["storage.shifting._copy", "kernel.fs.exchange", "storage.owners.mark"])
def test_a_kill_anywhere_is_made_good_by_the_next(engine: enginelab.Engine, point: str, after: bool) -> None:
    engine.start(state="stopped")
    with pytest.raises(netlab.LabError):
        engine.start(userns_mode="auto", before=enginelab.dying(point, after=after))
    engine.start(userns_mode="auto")
    assert engine.read("web", "stat -c %u:%g /etc /bin/busybox; touch /x; stat -c %u /x") == "0:0\n0:0\n0"


def test_volumes_get_the_users_of_whom_has_them(engine: enginelab.Engine, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    tmp_path.chmod(0o755)
    content = Mount(CONTENT, "", "/etc/app.conf", content=Content("a=1\n", 0o640, 1000, 1000))
    mounts = (DATA, Mount("bind", str(tmp_path), "/host"), Mount("tmpfs", "", "/fast", flags=("uid=7",)), content)
    engine.start(userns_mode="auto", mounts=mounts)
    assert engine.read("web", "stat -c %u:%g /www /www/index.html /host/file /fast /etc/app.conf").split() \
        == ["0:0", "0:0", "65534:65534", "7:0", "1000:1000"]
    engine.read("web", "touch /www/mine; chown 1000:1000 /www/mine")
    data = engine.layout.volume_data("data")
    assert os.stat(os.path.join(data, "mine")).st_uid == first(engine) + 1000
    for check in (True, False):
        with pytest.raises(Conflict, match="cannot show them as those of others: web"):
            engine.start("other", mounts=(DATA,), check=check)
    maps = idmap.whole(first(engine))
    engine.start("alike", uidmap=maps.uids, gidmap=maps.gids, mounts=(DATA,))
    assert engine.read("alike", "stat -c %u:%g /www/mine") == "1000:1000"
    for name in ("web", "alike"):
        engine.ensure(name, state="absent")
    engine.start("other", mounts=(DATA,))
    assert engine.read("other", "stat -c %u:%g /www /www/mine").split() == ["0:0", "1000:1000"]
    assert os.stat(os.path.join(data, "mine")).st_uid == 1000


def test_tasks_on_a_volume_know_the_owners_of_its_container(engine: enginelab.Engine, tmp_path: pathlib.Path) -> None:
    def ensured(**said: t.Any) -> t.Any:
        return engine.run(lambda host: volumes.ensure(host, VolumeWish(VolumeSpec("data", **said))))

    def archived(file: pathlib.Path) -> t.Any:
        return engine.run(lambda host: volume_archive.ensure(host, VolumeArchiveWish("data", str(file))))

    ensured(owner=1000, group=1000)
    archived(tmp_path / "before.tar")
    engine.start(userns_mode="auto", mounts=(dataclasses.replace(DATA, copy=False),))
    assert engine.read("web", "stat -c %u:%g /www") == "1000:1000"
    assert not ensured(owner=1000, group=1000).changed
    assert ensured(owner=7).changed
    assert engine.read("web", "stat -c %u:%g /www") == "7:1000"
    ensured(owner=1000)
    archived(tmp_path / "after.tar")
    assert (tmp_path / "before.tar").read_bytes() == (tmp_path / "after.tar").read_bytes()


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_files_are_copied_with_the_owners_that_the_container_knows(engine: enginelab.Engine, tmp_path: pathlib.Path, state: str) -> None:
    def copied(**said: t.Any) -> t.Any:
        return engine.run(lambda host: copy.ensure(host, CopyWish("web", **said)))

    engine.start(userns_mode="auto")
    engine.read("web", "mkdir /out; echo o > /out/file; chown 1000:7 /out/file")
    engine.start(userns_mode="auto", state=state)
    content = {"content": b"text", "container_path": "/made/text", "owner": "web", "mode": 0o640}
    assert copied(**content).changed
    assert not copied(**content).changed
    out = {"path": str(tmp_path / "out"), "container_path": "/out", "direction": "from_container", "archive": False}
    assert copied(**out).changed
    assert not copied(**out).changed
    assert ((tmp_path / "out" / "file").stat().st_uid, (tmp_path / "out" / "file").stat().st_gid) == (1000, 7)
    changes = {change["Path"]: change["Kind"] for change in engine.run(lambda host: written.diff(host, observe.container(host, "web")))["Diff"]}
    assert {path: changes.get(path) for path in ("/out/file", "/made/text", "/etc", "/bin/busybox")} \
        == {"/out/file": "A", "/made/text": "A", "/etc": changes.get("/etc"), "/bin/busybox": None}
    engine.start(userns_mode="auto")
    assert engine.read("web", "stat -c %u:%g /made /made/text").split() == ["0:0", "1000:1000"]


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_a_commit_has_the_owners_of_the_container(engine: enginelab.Engine, state: str) -> None:
    engine.start(userns_mode="auto")
    engine.read("web", "echo x > /mine; chown 1000:7 /mine; rm /etc/group")
    engine.start(userns_mode="auto", state=state)
    wish = ImageWish("made", "1", source="container", from_container="web")
    assert engine.run(lambda host: all_images.ensure(host, wish)).changed
    assert not engine.run(lambda host: all_images.ensure(host, wish)).changed
    engine.start("other", images=("made:1",))
    assert engine.read("other", "stat -c %u:%g /mine /etc; ls /etc/group 2>/dev/null; true").split() == ["1000:7", "0:0"]
    engine.start("third", images=("made:1",), userns_mode="auto")
    engine.start(userns_mode="auto")
    for name in ("web", "third"):
        assert engine.read(name, "stat -c %u:%g /mine; ls /etc/group 2>/dev/null; true") == "1000:7"
    for name in ("web", "other", "third"):
        engine.ensure(name, state="absent")
    engine.run(lambda host: all_images.ensure(host, ImageWish("made", "1", state="absent")))


def test_a_command_in_one_that_does_not_run(engine: enginelab.Engine) -> None:
    """Also in one that has never run with these users."""
    def run(script: str) -> t.Tuple[int, t.List[str]]:
        request = {"home": engine.home, "container": "web", "args": ["/bin/sh", "-c", script], "env": {}, "cwd": "", "tools": "never", "user": "web"}
        output = os.memfd_create("output")
        os.dup2(output, 1)
        code = maintenance.run(request, b"")
        return code, os.pread(output, 4096, 0).decode().split()

    engine.start()
    engine.start(userns_mode="auto", state="stopped")
    assert engine.lab.run(run, "id -u; echo x > /tmp/ran; stat -c %u:%g /tmp/ran /etc/hosts") == (0, ["1000", "1000:1000", "0:0"])
    engine.start(userns_mode="auto")
    assert engine.read("web", "stat -c %u:%g /tmp/ran") == "1000:1000"


def test_copies_that_no_container_has_are_pruned(engine: enginelab.Engine) -> None:
    def pruned(*, check: bool = False) -> t.Any:
        return engine.lab.run(lambda: prune.ensure(open_host(engine.home, dry_run=check), PruneWish(images=True)))

    pruned()
    engine.start(userns_mode="auto")
    engine.start("other", uidmap=idmap.parse(["0:500000:65536"], "uidmap"), gidmap=idmap.parse(["0:500000:65536"], "gidmap"))
    assert len(copies(engine)) == 2
    assert pruned().result["layer_copies"] == []
    engine.ensure("other", state="absent")
    foreseen = pruned(check=True)
    assert len(copies(engine)) == 2
    gone = pruned()
    assert (foreseen.plan, foreseen.result) == (gone.plan, gone.result)
    assert len(gone.result["layer_copies"]) == 1
    assert gone.result["images_space_reclaimed"] > os.stat(enginelab.BUSYBOX).st_size
    assert len(copies(engine)) == 1
    assert not pruned().changed
    assert engine.read("web", "stat -c %u:%g /etc") == "0:0"


def test_a_path_of_the_host_that_cannot_be_mapped_is_refused(engine: enginelab.Engine) -> None:
    for check in (True, False):
        with pytest.raises(Unsupported, match="volumes: the file system of .* cannot show other owners"):
            engine.start(userns_mode="auto", mounts=(Mount("bind", engine.home, "/host", flags=("idmap",)),), check=check)

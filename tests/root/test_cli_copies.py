# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker cp` with an archive on standard input or output, as tar makes and reads it, and as somebody hostile would."""
from __future__ import annotations

import bz2
import gzip
import io
import os
import stat
import subprocess
import tarfile

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount

pytestmark = pytest.mark.root


@pytest.fixture(params=["running", "created"])
def web(cocker, request):
    state = {} if request.param == "running" else {"state": "present"}
    cocker.engine.start("web", network_mode="none", stop_timeout=0, **state)
    return cocker


def call(cocker, *words, stdin=b""):
    def run():
        done = subprocess.run([cocker.command, *words], env=cocker.env, input=stdin, capture_output=True, check=False, timeout=120)
        return done.returncode, done.stdout, done.stderr.decode()
    return cocker.engine.lab.run(run)


def packed(*members, content=b"new\n"):
    """Of names, or (name, what TarInfo is to have)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            name, more = member if isinstance(member, tuple) else (member, {})
            info = tarfile.TarInfo(name)
            info.mtime = 1_500_000_000
            for key, value in more.items():
                setattr(info, key, value)
            is_file = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
            info.size = len(content) if is_file else 0
            archive.addfile(info, io.BytesIO(content) if is_file else None)
    return made.getvalue()


def listed(text):
    with tarfile.open(fileobj=io.BytesIO(text)) as archive:
        return {member.name: member for member in archive.getmembers()}


def take(cocker, archive, path="/srv"):
    return call(cocker, "cp", "-", "web:" + path, stdin=archive)


def shown(cocker, path):
    """What cp brings out, by name."""
    code, out, err = call(cocker, "cp", "web:" + path, "-")
    assert (code, err) == (0, "")
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        return {member.name: archive.extractfile(member).read() if member.isfile() else member for member in archive.getmembers()}


def tree(cocker):
    """A directory of the container's with one of each kind."""
    folder = ("srv", {"type": tarfile.DIRTYPE, "mode": 0o750})
    members = [folder, ("srv/a", {"mode": 0o4755, "uid": 7, "gid": 8}), ("srv/b", {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"}),
               ("srv/c", {"type": tarfile.LNKTYPE, "linkname": "srv/a"}), ("srv/deep/er/d", {})]
    assert take(cocker, packed(*members), "/") == (0, b"", "")


def test_what_went_in_comes_out(web):
    tree(web)
    code, out, err = call(web, "cp", "web:/srv", "-")
    found = listed(out)
    assert (code, err, sorted(found)) == (0, "", ["srv", "srv/a", "srv/b", "srv/c", "srv/deep", "srv/deep/er", "srv/deep/er/d"])
    a, link, other = found["srv/a"], found["srv/b"], found["srv/c"]
    assert (a.mode, a.uid, a.gid, a.mtime, a.size) == (0o4755, 7, 8, 1_500_000_000, 4)
    assert (link.issym(), link.linkname, other.islnk(), other.linkname) == (True, "/etc/shadow", True, "srv/a")
    assert stat.S_IMODE(found["srv"].mode) == 0o750
    assert take(web, out, "/tmp") == (0, b"", "")
    assert listed(call(web, "cp", "web:/tmp/srv", "-")[1]).keys() == found.keys()


def test_a_file_a_link_and_the_inside_of_a_directory(web):
    tree(web)
    assert shown(web, "/srv/a") == {"a": b"new\n"}
    assert list(shown(web, "/srv/deep/.")) == [".", "./er", "./er/d"]
    assert shown(web, "/srv/b")["b"].issym()
    assert call(web, "cp", "web:/srv/nothing", "-")[0] == 1
    assert take(web, packed(("to", {"type": tarfile.SYMTYPE, "linkname": "/srv/a"})), "/tmp")[0] == 0
    assert call(web, "cp", "-L", "web:/tmp/to", "-")[1][512:516] == b"new\n"


def test_a_link_is_followed_in_the_container_alone(web):
    assert take(web, packed(("shadow", {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"}), ("up", {
        "type": tarfile.SYMTYPE, "linkname": "../../../../../../tmp"})), "/tmp")[0] == 0
    code, _out, err = call(web, "cp", "-L", "web:/tmp/shadow", "-")
    assert code == 1 and "does not exist" in err
    assert take(web, packed("here"), "/tmp/up") == (0, b"", "")
    assert shown(web, "/tmp/here") == {"here": b"new\n"} and not os.path.exists("/tmp/here")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lambda text: text], ids=["gzip", "bzip2", "plain"])
def test_it_may_be_compressed(web, compress):
    assert take(web, compress(packed("x", content=os.urandom(3 << 20))), "/tmp") == (0, b"", "")
    assert len(shown(web, "/tmp/x")["x"]) == 3 << 20


def test_the_directory_itself_stays_as_it_is(web):
    assert take(web, packed(("./", {"type": tarfile.DIRTYPE, "mode": 0o700, "uid": 5}), "./x"), "/tmp") == (0, b"", "")
    found = listed(call(web, "cp", "web:/tmp/.", "-")[1])
    assert (found["."].mode, found["."].uid) != (0o700, 5) and "./x" in found


@pytest.mark.parametrize(("members", "text"), [
    (["../x"], "it leads out of the tree"), (["a/../../x"], "it leads out of the tree"),
    ([("x", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})], "it is a device"), ([("x", {"type": tarfile.BLKTYPE})], "it is a device"),
    ([("x", {"type": tarfile.LNKTYPE, "linkname": "../etc/passwd"})], "it leads out of the tree"),
    ([("x", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})], "which the archive has not brought"),
    (["kept"], "it is a directory there"), ([("file", {"type": tarfile.DIRTYPE})], "it is no directory there"),
    (["file/below"], "file"),
], ids=str)
def test_what_no_archive_may_bring(web, members, text):
    assert take(web, packed("kept/inner", "file", content=b"old\n"), "/tmp") == (0, b"", "")
    code, out, err = take(web, packed(*members), "/tmp")
    assert (code, out) == (1, b"") and err.count("\n") == 1 and text in err
    assert shown(web, "/tmp/kept")["kept/inner"] == shown(web, "/tmp/file")["file"] == b"old\n"


def test_a_name_from_the_top_and_a_link_to_it_mean_the_directory(web):
    """As the archive's own root: what an archive brings never leaves the directory that was named."""
    members = ["/etc/passwd", ("out", {"type": tarfile.SYMTYPE, "linkname": "/etc"}), "out/added",
               ("self", {"type": tarfile.SYMTYPE, "linkname": "/proc/self/root"}), "self/root"]
    assert take(web, packed(*members), "/tmp") == (0, b"", "")
    found = shown(web, "/tmp/etc")
    assert found["etc/passwd"] == found["etc/added"] == b"new\n"
    assert shown(web, "/tmp/proc/self/root/root") == {"root": b"new\n"}
    assert call(web, "cp", "web:/etc/added", "-")[0] == 1


@pytest.mark.parametrize(("archive", "path", "text"), [
    (b"", "/tmp", "no archive"), (b"no archive at all" * 100, "/tmp", ""), (packed("x")[:700], "/tmp", ""), (packed("x"), "/nothing", "not exist"),
    (packed("x"), "/bin/sh", "this is none"), (packed("x"), "/proc", ""),
], ids=["empty", "garbage", "half", "missing", "file", "proc"])
def test_where_it_does_not_go(web, archive, path, text):
    code, out, err = take(web, archive, path)
    assert (code, out) == (1, b"") and err.count("\n") == 1 and text in err


def test_nothing_is_put_where_the_kernel_s_files_are(cocker):
    cocker.engine.start("web", network_mode="none", stop_timeout=0)
    for member in ("proc/x", "sys/x", "proc/sys/kernel/core_pattern"):
        code, _out, err = take(cocker, packed(member), "/")
        assert code == 1 and err.count("\n") == 1


def test_it_is_written_into_a_volume_and_read_from_it(cocker):
    cocker.engine.start("web", network_mode="none", stop_timeout=0, mounts=(Mount("volume", "data", "/data"),))
    assert take(cocker, packed("x"), "/data") == (0, b"", "")
    with open(os.path.join(cocker.engine.layout.volume_data("data"), "x"), "rb") as stream:
        assert stream.read() == b"new\n"
    assert "data/x" in shown(cocker, "/data")


def test_whose_files_they_are_in_a_user_namespace(cocker):
    cocker.engine.start("web", network_mode="none", stop_timeout=0, userns_mode="auto")
    assert take(cocker, packed(("mine", {"uid": 7, "gid": 8}), "root"), "/tmp") == (0, b"", "")
    assert cocker.engine.exec("web", "/bin/sh", "-c", "stat -c '%u %g' /tmp/mine /tmp/root")["stdout"] == b"7 8\n0 0\n"
    found = listed(call(cocker, "cp", "web:/tmp/mine", "-")[1])["mine"]
    assert (found.uid, found.gid) == (7, 8)
    code, _out, err = take(cocker, packed(("theirs", {"uid": 1 << 30})), "/tmp")
    assert code == 1 and "ids of the container's user namespace" in err


def test_whoever_reads_no_further_ends_it(web):
    assert take(web, packed("big", content=bytes(8 << 20)), "/tmp")[0] == 0

    def run():
        line = "%s cp web:/tmp/big - | head -c 10 | wc -c; exit ${PIPESTATUS[0]}" % web.command
        done = subprocess.run(["bash", "-c", line], env=web.env, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    assert web.engine.lab.run(run) == (141, "10\n", "")


def test_a_terminal_is_no_archive(web):
    for words in (("cp", "-", "web:/tmp"), ("cp", "web:/tmp", "-")):
        terminal = web.seat(*words)
        terminal.expect_exact("terminal")
        terminal.close(force=True)


def test_what_is_left_out_is_said(cocker):
    cocker.engine.start("web", network_mode="none", stop_timeout=0)
    assert cocker("exec", "web", "mkfifo", "/tmp/pipe")[0] == 0
    code, out, err = call(cocker, "cp", "web:/tmp", "-")
    assert code == 0 and list(listed(out)) == ["tmp"] and err == "cocker: left out, for they are neither files, directories nor links: pipe\n"

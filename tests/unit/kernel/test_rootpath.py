# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case runs with openat2 and with the walk that stands in for it on older kernels."""
from __future__ import annotations

import errno
import os
import pathlib
import random
import stat
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError


class Root(t.NamedTuple):
    path: pathlib.Path
    outside: pathlib.Path
    fd: int

    def read(self, path: str) -> str:
        with open(rootpath.open_in(self.fd, path, os.O_RDONLY)) as stream:
            return stream.read()


@pytest.fixture(params=["openat2", "walk"])
def root(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Root]:
    if request.param == "walk":
        monkeypatch.setitem(libc._known, "openat2", False)
    elif libc.is_missing("openat2"):
        pytest.skip("this kernel has no openat2")
    inside, outside = tmp_path / "root", tmp_path / "outside"
    (inside / "etc").mkdir(parents=True)
    outside.mkdir()
    (inside / "etc" / "passwd").write_text("inside")
    (outside / "passwd").write_text("outside")
    fd = rootpath.open_root(str(inside))
    before = set(os.listdir("/proc/self/fd"))
    yield Root(inside, outside, fd)
    assert set(os.listdir("/proc/self/fd")) == before, "a descriptor was left open"
    os.close(fd)


def listing(path: pathlib.Path) -> t.List[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


@pytest.mark.parametrize(
    "path",
    ["etc/passwd", "/etc/passwd", "//etc//passwd", "./etc/./passwd", "../../etc/passwd", "etc/../etc/passwd", "/../../../etc/passwd"],
)
def test_ways_to_write_a_path_lead_into_the_root(root: Root, path: str) -> None:
    assert root.read(path) == "inside"


@pytest.mark.parametrize("target", ["/etc", "etc", "../etc", "../../../../../etc", "/../../etc", "./etc/../etc", "/etc/"])
def test_link_to_a_directory_is_resolved_in_the_root(root: Root, target: str) -> None:
    (root.path / "link").symlink_to(target)
    assert root.read("link/passwd") == "inside"


def test_link_to_the_outside_by_its_real_path_leads_nowhere(root: Root) -> None:
    (root.path / "link").symlink_to(root.outside)
    with pytest.raises(FileNotFoundError):
        root.read("link/passwd")


def test_chain_of_links(root: Root) -> None:
    (root.path / "a").symlink_to("b")
    (root.path / "b").symlink_to("/c")
    (root.path / "c").symlink_to("etc/passwd")
    assert root.read("a") == "inside"


def test_loop_of_links_ends(root: Root) -> None:
    (root.path / "a").symlink_to("b")
    (root.path / "b").symlink_to("a")
    with pytest.raises(OSError) as caught:
        root.read("a/x")
    assert caught.value.errno == errno.ELOOP


def test_last_link_is_not_followed_if_so_asked(root: Root) -> None:
    (root.path / "link").symlink_to("etc")
    with pytest.raises(OSError) as caught:
        rootpath.open_in(root.fd, "link", os.O_RDONLY | os.O_NOFOLLOW)
    assert caught.value.errno == errno.ELOOP


def test_link_itself_can_be_opened_as_a_path(root: Root) -> None:
    (root.path / "link").symlink_to("etc")
    fd = rootpath.open_in(root.fd, "link", os.O_PATH | os.O_NOFOLLOW)
    kind = os.fstat(fd).st_mode
    os.close(fd)
    assert stat.S_ISLNK(kind)


@pytest.mark.parametrize("path", ["/", "", ".", "..", "etc/.."])
def test_root_itself(root: Root, path: str) -> None:
    fd = rootpath.open_in(root.fd, path, os.O_RDONLY | os.O_DIRECTORY)
    found = os.listdir(fd)
    os.close(fd)
    assert found == ["etc"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("etc/nothing", errno.ENOENT), ("nothing/passwd", errno.ENOENT), ("etc/passwd/x", errno.ENOTDIR), ("etc/passwd/", errno.ENOTDIR)],
)
def test_errors_are_those_of_open(root: Root, path: str, expected: int) -> None:
    with pytest.raises(OSError) as caught:
        rootpath.open_in(root.fd, path, os.O_RDONLY)
    assert (caught.value.errno, caught.value.filename is not None) == (expected, True)


def test_descriptor_is_closed_by_exec(root: Root) -> None:
    fd = rootpath.open_in(root.fd, "etc/passwd", os.O_RDONLY)
    inherited = os.get_inheritable(fd)
    os.close(fd)
    assert not inherited


def test_file_is_made_with_its_mode(root: Root) -> None:
    os.close(rootpath.open_in(root.fd, "/etc/new", os.O_WRONLY | os.O_CREAT, 0o600))
    assert stat.S_IMODE((root.path / "etc/new").stat().st_mode) == 0o600


def test_file_behind_a_dangling_link_is_made_in_the_root(root: Root) -> None:
    (root.path / "link").symlink_to("/etc/new")
    os.close(rootpath.open_in(root.fd, "link", os.O_WRONLY | os.O_CREAT, 0o644))
    assert (root.path / "etc/new").is_file()


def test_exclusive_creation_follows_no_link(root: Root) -> None:
    (root.path / "link").symlink_to("/etc/new")
    with pytest.raises(FileExistsError):
        rootpath.open_in(root.fd, "link", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)


def test_mode_is_ignored_when_nothing_is_made(root: Root) -> None:
    os.close(rootpath.open_in(root.fd, "etc/passwd", os.O_RDONLY, 0o644))


def test_magic_links_of_proc_lead_nowhere(root: Root) -> None:
    proc = rootpath.open_root("/proc")
    try:
        with pytest.raises(OSError):
            rootpath.open_in(proc, "self/root/etc", os.O_RDONLY)
    finally:
        os.close(proc)


def test_missing_directories_are_made(root: Root) -> None:
    rootpath.ensure_dir(root.fd, "/a/b/c")
    assert (root.path / "a/b/c").is_dir()


def test_making_a_directory_twice_changes_nothing(root: Root) -> None:
    rootpath.ensure_dir(root.fd, "a/b", 0o700)
    rootpath.ensure_dir(root.fd, "a/b", 0o755)
    assert stat.S_IMODE((root.path / "a/b").stat().st_mode) == 0o700


def test_mode_does_not_depend_on_the_umask(root: Root) -> None:
    before = os.umask(0o077)
    try:
        rootpath.ensure_dir(root.fd, "a/b", 0o775)
        rootpath.ensure_file(root.fd, "a/c", 0o664)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((root.path / name).stat().st_mode) for name in ("a", "a/b", "a/c")] == [0o775, 0o775, 0o664]


@pytest.mark.parametrize(
    ("link", "target", "wanted", "made"),
    [
        ("var-run", "/run", "var-run/lock", "run/lock"),
        ("var-run", "../../run", "var-run/lock", "run/lock"),
        ("deep", "/x/y/z", "deep/w", "x/y/z/w"),
        ("last", "/x/y", "last", "x/y"),
        ("etc/back", "..", "etc/back/new", "new"),
    ],
)
def test_directories_behind_links_are_made_in_the_root(root: Root, link: str, target: str, wanted: str, made: str) -> None:
    (root.path / link).symlink_to(target)
    before = listing(root.outside.parent / "outside")
    rootpath.ensure_dir(root.fd, wanted)
    assert (root.path / made).is_dir()
    assert listing(root.outside) == before


def test_link_to_the_outside_is_made_inside(root: Root) -> None:
    (root.path / "link").symlink_to(root.outside)
    rootpath.ensure_dir(root.fd, "link/new")
    assert listing(root.outside) == ["passwd"]
    assert (root.path / str(root.outside).lstrip("/") / "new").is_dir()


@pytest.mark.parametrize("wanted", ["etc/passwd", "etc/passwd/x"])
def test_file_in_the_way_of_a_directory_is_an_error(root: Root, wanted: str) -> None:
    with pytest.raises((NotADirectoryError, FileExistsError)):
        rootpath.ensure_dir(root.fd, wanted)


@pytest.mark.parametrize("path", ["/", "etc", "etc/..", "etc/", "a/..", "a/../b"])
def test_directory_that_needs_nothing_or_turns_back(root: Root, path: str) -> None:
    rootpath.ensure_dir(root.fd, path)
    fd = rootpath.open_in(root.fd, path, os.O_PATH | os.O_DIRECTORY)
    os.close(fd)


def test_file_is_made_empty_with_its_parents(root: Root) -> None:
    rootpath.ensure_file(root.fd, "run/secrets/key", 0o600)
    assert (root.path / "run/secrets/key").read_text() == ""


def test_file_that_is_there_stays_as_it_is(root: Root) -> None:
    rootpath.ensure_file(root.fd, "etc/passwd")
    assert root.read("etc/passwd") == "inside"


def test_file_behind_a_link_to_the_outside_is_made_inside(root: Root) -> None:
    (root.path / "etc/resolv.conf").symlink_to("../../outside/passwd")
    rootpath.ensure_file(root.fd, "etc/resolv.conf")
    assert (root.outside / "passwd").read_text() == "outside"
    assert (root.path / "outside/passwd").read_text() == ""


@pytest.mark.parametrize("path", ["etc", "/", "etc/.."])
def test_directory_in_the_way_of_a_file_is_an_error(root: Root, path: str) -> None:
    with pytest.raises(IsADirectoryError):
        rootpath.ensure_file(root.fd, path)


def test_device_that_is_there_serves_as_a_file(root: Root) -> None:
    os.mkfifo(str(root.path / "etc/pipe"))
    rootpath.ensure_file(root.fd, "etc/pipe")
    assert stat.S_ISFIFO((root.path / "etc/pipe").stat().st_mode)


def test_node_has_exactly_its_mode(root: Root) -> None:
    before = os.umask(0o077)
    try:
        rootpath.mknod(root.fd, "dev/pipe", mode=stat.S_IFIFO | 0o666)
    finally:
        os.umask(before)
    found = (root.path / "dev/pipe").stat().st_mode
    assert (stat.S_ISFIFO(found), stat.S_IMODE(found)) == (True, 0o666)


def test_node_does_not_replace_what_is_there(root: Root) -> None:
    (root.path / "link").symlink_to(root.outside / "passwd")
    with pytest.raises(FileExistsError):
        rootpath.mknod(root.fd, "link", mode=stat.S_IFIFO | 0o666)
    assert listing(root.outside) == ["passwd"]


def test_symlink_is_made_with_the_parents_in_the_root(root: Root) -> None:
    (root.path / "dev").symlink_to(root.outside)
    rootpath.symlink(root.fd, "dev/fd", target="/proc/self/fd")
    assert listing(root.outside) == ["passwd"]
    assert os.readlink(str(root.path / str(root.outside).lstrip("/") / "fd")) == "/proc/self/fd"


def test_openat2_is_tried_again_when_a_rename_disturbed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [errno.EAGAIN, errno.EINTR, 0]

    def answer(*_args: object, op: str, subject: str = "") -> int:
        number = answers.pop(0)
        if number:
            raise KernelError(op, subject, number)
        return 77

    monkeypatch.setattr(rootpath, "syscall", answer)
    assert rootpath.openat2(3, "x", flags=0, resolve=0) == 77


def test_openat2_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, op: str, subject: str = "") -> int:
        raise KernelError(op, subject, errno.EAGAIN)

    monkeypatch.setattr(rootpath, "syscall", refuse)
    with pytest.raises(OSError) as caught:
        rootpath.openat2(3, "x", flags=0, resolve=0)
    assert caught.value.errno == errno.EAGAIN


def grow(chance: random.Random, top: pathlib.Path) -> None:
    """A small tree of directories, files and links that point anywhere."""
    names = ["a", "b", "c"]
    folders = [top]
    for _entry in range(14):
        path = chance.choice(folders) / chance.choice(names)
        if os.path.lexists(str(path)):
            continue
        kind = chance.choice(["folder", "folder", "file", "link", "link"])
        if kind == "folder":
            path.mkdir()
            folders.append(path)
        elif kind == "file":
            path.write_text("")
        else:
            path.symlink_to(some_path(chance))


def some_path(chance: random.Random) -> str:
    parts = [chance.choice(["a", "b", "c", "..", ".", ""]) for _part in range(chance.randint(1, 4))]
    return chance.choice(["", "/", "../"]) + "/".join(parts) or "."


def outcome(root_fd: int, path: str, flags: int) -> t.Tuple[int, int]:
    try:
        fd = rootpath.open_in(root_fd, path, flags, 0o644)
    except OSError as error:
        return -1, error.errno or 0
    try:
        return os.fstat(fd).st_dev, os.fstat(fd).st_ino
    finally:
        os.close(fd)


@pytest.mark.parametrize("seed", range(40))
def test_walk_finds_what_openat2_finds(seed: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if libc.is_missing("openat2"):
        pytest.skip("this kernel has no openat2")
    chance = random.Random(seed)
    grow(chance, tmp_path)
    root_fd = rootpath.open_root(str(tmp_path))
    for _try in range(30):
        path = some_path(chance)
        flags = chance.choice([os.O_RDONLY, os.O_PATH]) | chance.choice([0, os.O_NOFOLLOW, os.O_DIRECTORY])
        monkeypatch.setitem(libc._known, "openat2", True)
        wanted = outcome(root_fd, path, flags)
        monkeypatch.setitem(libc._known, "openat2", False)
        assert (path, outcome(root_fd, path, flags)) == (path, wanted)
    os.close(root_fd)

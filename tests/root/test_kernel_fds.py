# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that runs from our descriptor cannot reach the file it came from."""
from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fds, mountinfo, mounts, namespaces, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported
from ansible_collections.cocker.engine.tests.root import kernel_sandbox as sandbox

pytestmark = pytest.mark.root

Maker = t.Callable[[str], int]
LATER = 10.0
WRITING = {
    "write": os.O_WRONLY, "update": os.O_RDWR, "truncate": os.O_WRONLY | os.O_TRUNC, "append": os.O_WRONLY | os.O_APPEND,
}
CHANGES: t.Tuple[t.Callable[[str], None], ...] = (
    lambda path: os.chmod(path, 0o777),
    lambda path: os.chown(path, 5, 5),
    lambda path: os.setxattr(path, "user.x", b"y"),
)


@pytest.fixture(params=["overlay_program", "sealed_copy", "protected_program", "mount_programs"])
def maker(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Maker:
    if request.param == "mount_programs":
        return functools.partial(by_path, tmp_path / "mounted")
    if request.param == "overlay_program" and not mounts.takes_single_layers():
        pytest.skip("this kernel has no lowerdir+")
    found: Maker = getattr(fds, request.param)
    return found


def by_path(mounted: pathlib.Path, path: str) -> int:
    """What a mount of its folder shows of the program. Only the descriptor is left of it, so that it cannot be a leak."""
    real = os.path.realpath(path)
    mounted.mkdir()
    fds.mount_programs(os.path.dirname(real), str(mounted))
    fd = os.open(mounted / os.path.basename(real), os.O_PATH | os.O_CLOEXEC)
    assert [remount(str(mounted)), attack(str(mounted / os.path.basename(real)))] == [False, []]
    mounts.umount(str(mounted), detach=True)
    return fd


def remount(path: str) -> bool:
    """Whether it can be made writable, as a whole or as this mount, by whoever has all privileges where it is mounted."""
    with contextlib.suppress(KernelError):
        mounts.set_attributes(path, clear=consts.MOUNT_ATTR_RDONLY)
    with contextlib.suppress(KernelError):
        mounts.mount("none", path, fstype="", flags=consts.MS_REMOUNT)
    return not os.statvfs(path).f_flag & os.ST_RDONLY


@pytest.fixture
def program(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "program"
    path.write_bytes(pathlib.Path("/bin/cat").read_bytes())
    path.chmod(0o755)
    return path


class Running(t.NamedTuple):
    pid: int
    stdin: int


def start(fd: int) -> Running:
    """The program waits for its standard input to end."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(reader, 0)
        os.execve(fd, ["program"], {})
    os.close(reader)
    assert poll.until(lambda: os.readlink("/proc/%d/exe" % pid) != os.readlink("/proc/self/exe"), timeout=LATER)
    return Running(pid, writer)


def stop(running: Running) -> int:
    os.close(running.stdin)
    return os.WEXITSTATUS(os.waitpid(running.pid, 0)[1])


def attack(path: str) -> t.List[str]:
    """Every way to change what a link of /proc leads to; what succeeded."""
    done = []
    for name, flags in WRITING.items():
        try:
            fd = os.open(path, flags)
        except OSError:
            continue
        with contextlib.suppress(OSError):
            os.write(fd, b"#!/bin/evil\n")
            done.append(name)
        os.close(fd)
    with contextlib.suppress(OSError):
        os.truncate(path, 0)
        done.append("truncate by path")
    return done


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mapped(pid: int) -> t.List[str]:
    maps = "/proc/%d/map_files/" % pid
    return [maps + name for name in os.listdir(maps) if "program" in target(maps + name)]


def target(link: str) -> str:
    """Empty where it has just gone: a program that starts maps and unmaps."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def test_running_program_cannot_be_written(program: pathlib.Path, maker: Maker) -> None:
    def action() -> t.List[t.Any]:
        before, fd = digest(program), maker(str(program))
        running = start(fd)
        assert poll.until(lambda: len(mapped(running.pid)) > 1, timeout=LATER)
        links = ["/proc/%d/exe" % running.pid, "/proc/self/fd/%d" % fd, *mapped(running.pid)]
        done = [attack(link) for link in links]
        return [sum(done, []), stop(running), digest(program) == before]

    assert sandbox.run(action) == [[], 0, True]


def test_program_that_ended_cannot_be_written_through_a_link_kept_open(program: pathlib.Path, maker: Maker) -> None:
    """What CVE-2019-5736 does: keep /proc/PID/exe open until nobody executes it, then write."""
    def action() -> t.List[t.Any]:
        before, fd = digest(program), maker(str(program))
        running = start(fd)
        kept = os.open("/proc/%d/exe" % running.pid, os.O_PATH)
        stop(running)
        return [attack("/proc/self/fd/%d" % kept), digest(program) == before]

    assert sandbox.run(action) == [[], True]


def test_owner_and_mode_of_the_original_stay(program: pathlib.Path, maker: Maker) -> None:
    def action() -> t.List[int]:
        running = start(maker(str(program)))
        for change in CHANGES:
            with contextlib.suppress(OSError):
                change("/proc/%d/exe" % running.pid)
        stop(running)
        found = program.stat()
        return [found.st_mode & 0o7777, found.st_uid, len(os.listxattr(str(program)))]

    assert sandbox.run(action) == [0o755, 0, 0]


def test_nothing_is_mounted_and_no_descriptor_is_left(program: pathlib.Path, maker: Maker) -> None:
    def action() -> t.List[t.Any]:
        mounts_before, fds_before = len(mountinfo.entries()), set(os.listdir("/proc/self/fd"))
        fd = maker(str(program))
        inherited = os.get_inheritable(fd)
        os.close(fd)
        return [inherited, len(mountinfo.entries()) - mounts_before, set(os.listdir("/proc/self/fd")) == fds_before]

    assert sandbox.run(action) == [False, 0, True]


def test_program_below_a_link_is_found(program: pathlib.Path, maker: Maker, tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(program)

    def action() -> int:
        return stop(start(maker(str(tmp_path / "link"))))

    assert sandbox.run(action) == 0


def test_overlay_shares_the_pages_of_the_original(program: pathlib.Path) -> None:
    """The same inode number behind it, and no memory of its own."""
    if not mounts.takes_single_layers():
        pytest.skip("this kernel has no lowerdir+")

    def action() -> t.List[bool]:
        fd = fds.overlay_program(str(program))
        running = start(fd)
        with open("/proc/%d/smaps_rollup" % running.pid) as stream:
            shmem = [line.split()[1] for line in stream if line.startswith("Pss_Shmem")]
        stop(running)
        return [os.fstat(fd).st_ino == program.stat().st_ino, shmem == ["0"]]

    assert sandbox.run(action) == [True, True]


def test_program_that_is_a_layer_of_two_overlays_is_copied(tmp_path: pathlib.Path) -> None:
    """Overlays stack two deep; on a host whose root is that already, the copy has to do."""
    def action() -> t.List[t.Any]:
        for name in ("l1", "l2", "l3", "m1", "m2"):
            (tmp_path / name).mkdir()
        (tmp_path / "l1" / "program").write_bytes(pathlib.Path("/bin/cat").read_bytes())
        (tmp_path / "l1" / "program").chmod(0o755)
        mounts.overlay(str(tmp_path / "m1"), lower=[str(tmp_path / "l1"), str(tmp_path / "l2")])
        mounts.overlay(str(tmp_path / "m2"), lower=[str(tmp_path / "m1"), str(tmp_path / "l3")])
        path = str(tmp_path / "m2" / "program")
        with pytest.raises(Unsupported):
            fds.overlay_program(path)
        running = start(fds.protected_program(path))
        kind = os.readlink("/proc/%d/exe" % running.pid)
        stop(running)
        return [kind.startswith("/memfd:")]

    assert sandbox.run(action) == [True]


def test_program_survives_the_change_of_root(program: pathlib.Path, maker: Maker, tmp_path: pathlib.Path) -> None:
    def action() -> int:
        fd = maker(str(program))
        (tmp_path / "empty").mkdir()
        os.chroot(str(tmp_path / "empty"))
        pid = os.fork()
        if pid == 0:
            try:
                os.execve(fd, ["program"], {})      # fails for want of the dynamic loader, not of the program
            except OSError as error:
                os._exit(error.errno or 1)
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])

    assert sandbox.run(action, flags=namespaces.CLONE_NEWNS) in (0, 2)

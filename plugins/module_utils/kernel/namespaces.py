# SPDX-License-Identifier: BSD-2-Clause
"""Namespaces: leave, enter and return, and network namespaces pinned by a file as `ip netns` does.

Only the calling thread moves. Not here: links and addresses in a namespace (netlink.py), user-namespace maps.
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mounts
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, KernelError, Unsupported, tolerate

CLONE_NEWCGROUP = consts.CLONE_NEWCGROUP
CLONE_NEWIPC = consts.CLONE_NEWIPC
CLONE_NEWNET = consts.CLONE_NEWNET
CLONE_NEWNS = consts.CLONE_NEWNS
CLONE_NEWPID = consts.CLONE_NEWPID
CLONE_NEWTIME = consts.CLONE_NEWTIME
CLONE_NEWUSER = consts.CLONE_NEWUSER
CLONE_NEWUTS = consts.CLONE_NEWUTS


class Kind(t.NamedTuple):
    """`flag` for unshare(2) and setns(2); `proc` is the name below /proc/PID/ns."""

    flag: int
    proc: str


# The words are those of the OCI runtime spec.
KINDS: t.Dict[str, Kind] = {
    "cgroup": Kind(CLONE_NEWCGROUP, "cgroup"),
    "ipc": Kind(CLONE_NEWIPC, "ipc"),
    "mount": Kind(CLONE_NEWNS, "mnt"),
    "network": Kind(CLONE_NEWNET, "net"),
    "pid": Kind(CLONE_NEWPID, "pid"),
    "time": Kind(CLONE_NEWTIME, "time"),
    "user": Kind(CLONE_NEWUSER, "user"),
    "uts": Kind(CLONE_NEWUTS, "uts"),
}
_OF_THREAD = "/proc/thread-self/ns/"


def unshare(flags: int) -> None:
    call(libc.unshare, flags, op="unshare")


def setns(fd: int, kind: str) -> None:
    """Enters for good. The kernel refuses a descriptor of another kind."""
    call(libc.setns, fd, KINDS[kind].flag, op="enter namespace", subject=kind)


def open_of(pid: t.Union[int, str], kind: str) -> int:
    """Descriptor of a process's namespace."""
    return os.open("/proc/%s/ns/%s" % (pid, KINDS[kind].proc), os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def entered(fd: int, kind: str) -> t.Iterator[None]:
    """Runs the block in the namespace and comes back. "pid" and "time" hold for children started in the block.

    A user namespace cannot be left again: fork for it.
    """
    if kind == "user":
        raise Unsupported("enter namespace", kind, "it cannot be left again")
    held = [os.open(_OF_THREAD + KINDS[kind].proc, os.O_RDONLY | os.O_CLOEXEC)]
    try:
        if kind == "mount":
            for path in ("/", "."):
                held.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        setns(fd, kind)
        try:
            yield
        finally:
            setns(held[0], kind)
            if kind == "mount":
                _restore_place(*held[1:])
    finally:
        for each in held:
            os.close(each)


def _restore_place(root: int, working: int) -> None:
    """setns(2) to a mount namespace moves root and working directory to that namespace's root."""
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(working)


@contextlib.contextmanager
def fresh(kind: str) -> t.Iterator[None]:
    """Runs the block in a new namespace, which goes with it. For "network", "ipc", "uts" and "cgroup"."""
    home = os.open(_OF_THREAD + KINDS[kind].proc, os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(KINDS[kind].flag)
        try:
            yield
        finally:
            setns(home, kind)
    finally:
        os.close(home)


def pin_netns(path: str, *, space: int = -1) -> None:
    """Makes a network namespace and pins it at the path, or the one that is given; the caller's thread stays where it is.

    Conflict if the path exists.
    """
    _ensure_pin_directory(os.path.dirname(path))
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    except FileExistsError as error:
        raise Conflict("pin network namespace", path, "the file exists") from error
    try:
        if space >= 0:
            mounts.bind(space, path)
            return
        with fresh("network"):
            mounts.bind(_OF_THREAD + "net", path)
    except BaseException:
        unpin(path)
        raise


def _ensure_pin_directory(path: str) -> None:
    """A shared mount, so that an unpin is seen in every mount namespace that copied it; exactly as ip-netns(8) makes it."""
    with contextlib.suppress(FileExistsError):
        os.makedirs(path)
        os.chmod(path, 0o755)       # whatever the umask
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)          # two at once would stack two mounts
        try:
            mounts.set_propagation(path, consts.MS_SHARED, recursive=True)
        except KernelError as error:
            if error.errno != errno.EINVAL:     # EINVAL: not a mount point yet
                raise
            mounts.bind(path, path, recursive=True)
            mounts.set_propagation(path, consts.MS_SHARED, recursive=True)
    finally:
        os.close(fd)


def unpin(path: str) -> None:
    """Idempotent. The namespace lives on while a process or a descriptor holds it."""
    with tolerate(errno.EINVAL, errno.ENOENT):  # EINVAL: nothing is mounted there
        for _layer in range(16):
            mounts.umount(path, detach=True)
    with tolerate(errno.ENOENT):
        os.unlink(path)

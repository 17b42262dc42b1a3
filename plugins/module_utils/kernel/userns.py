# SPDX-License-Identifier: BSD-2-Clause
"""User namespaces: made, found and entered; mounts that show the files of another range of users; whose files a thread makes.

Not here: what the maps are (model/idmap.py).
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mounts, namespaces
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import libc, prctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_NS_GET_USERNS = 0xB701         # ioctl_ns(2)
_PR_GET_SECUREBITS, _PR_SET_SECUREBITS = 27, 28
_NO_SETUID_FIXUP = 1 << 2       # capabilities(7): a change of the ids leaves the capabilities
_NOBODY = 0xFFFFFFFF            # setfsuid(2): an id that cannot be set, which asks for the one that is


def make(uid_map: str, gid_map: str, *, network: bool = False) -> t.Tuple[int, int]:
    """Descriptors of a new user namespace and, with `network`, of a network namespace that belongs to it (else -1).

    /proc has to be that of our own pid namespace. Raises KernelError.
    """
    heard, told = os.pipe()
    awaited, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        _live(told, awaited, network=network)
    os.close(told)
    os.close(awaited)
    try:
        _await(heard, "user namespace")
        for name, content in (("uid_map", uid_map), ("gid_map", gid_map)):
            _write_map("/proc/%d/%s" % (pid, name), content)
        os.write(go, b"1")
        _await(heard, "network namespace")
        user = namespaces.open_of(pid, "user")
        return user, namespaces.open_of(pid, "network") if network else -1
    finally:
        os.close(heard)
        os.close(go)
        os.waitpid(pid, 0)


def _live(told: int, awaited: int, *, network: bool) -> t.NoReturn:
    """In the process that the namespaces belong to as long as nobody else holds them. It ends when our end of the pipe is closed."""
    try:
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        os.write(told, b"\0")
        if os.read(awaited, 1):
            if network:
                namespaces.unshare(namespaces.CLONE_NEWNET)
            os.write(told, b"\0")
            os.read(awaited, 1)
    except KernelError as error:
        os.write(told, bytes([error.errno or 1]))
    finally:
        os._exit(0)


def _await(heard: int, what: str) -> None:
    answer = os.read(heard, 1)
    if answer != b"\0":
        raise KernelError("make", what, answer[0] if answer else 10)


def _write_map(path: str, content: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, content.encode())
    except OSError as error:
        raise KernelError("write", path, error.errno or 22) from error
    finally:
        os.close(fd)


def owner_of(space: int) -> int:
    """Descriptor of the user namespace that another namespace belongs to."""
    return fcntl.ioctl(space, _NS_GET_USERNS)


def show_mapped(tree: int, user: int) -> None:
    """A mount that is in no tree yet shows and makes files as if the host's ids were those of the namespace (Linux 5.12)."""
    mounts.mount_setattr(tree, set_=consts.MOUNT_ATTR_IDMAP, userns_fd=user)


def cover_mapped(path: str, user: int) -> None:
    """What is at the path is from now on seen there as show_mapped() says, in this mount namespace."""
    tree = mounts.open_tree(path, clone=True)
    try:
        show_mapped(tree, user)
        mounts.move_mount(tree, path)
    finally:
        os.close(tree)


def make_files_as(uid: int, gid: int) -> None:
    """Files that this thread makes are theirs; it keeps all its capabilities (setfsuid(2)). Raises KernelError."""
    prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, op="set securebits")
    libc.setfsgid(gid)
    libc.setfsuid(uid)
    if (libc.setfsuid(_NOBODY) & _NOBODY, libc.setfsgid(_NOBODY) & _NOBODY) != (uid, gid):
        raise KernelError("set file system ids", "%d:%d" % (uid, gid), 1)


@contextlib.contextmanager
def files_made_as(uid: int, gid: int) -> t.Iterator[None]:
    """make_files_as() for a while, after which all is as it was."""
    bits = prctl(_PR_GET_SECUREBITS, op="read securebits")
    before = libc.setfsuid(_NOBODY) & _NOBODY, libc.setfsgid(_NOBODY) & _NOBODY
    make_files_as(uid, gid)
    try:
        yield
    finally:
        make_files_as(*before)
        prctl(_PR_SET_SECUREBITS, bits, op="set securebits")


def join(user: int) -> None:
    """For good: root of the namespace, with all capabilities in it and none outside."""
    namespaces.setns(user, "user")
    os.setgroups(())
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)

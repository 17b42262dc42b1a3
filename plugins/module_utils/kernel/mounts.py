# SPDX-License-Identifier: BSD-2-Clause
"""mount(2) and its successors: mount, bind, overlay, propagation, attributes, pivot_root, umount.

A target is a path or an open descriptor. Not here: what is mounted (mountinfo.py), which mounts a container gets (runtime).
"""
from __future__ import annotations

import ctypes
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mountinfo, structs
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR, call, is_missing, libc, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError

Target = t.Union[str, int]

# What mountinfo calls a flag, as an attribute of the new interface and as a flag of the old one.
_ATTRIBUTES = (
    ("ro", consts.MOUNT_ATTR_RDONLY, consts.MS_RDONLY),
    ("nosuid", consts.MOUNT_ATTR_NOSUID, consts.MS_NOSUID),
    ("nodev", consts.MOUNT_ATTR_NODEV, consts.MS_NODEV),
    ("noexec", consts.MOUNT_ATTR_NOEXEC, consts.MS_NOEXEC),
    ("nodiratime", consts.MOUNT_ATTR_NODIRATIME, consts.MS_NODIRATIME),
    ("nosymfollow", consts.MOUNT_ATTR_NOSYMFOLLOW, consts.MS_NOSYMFOLLOW),
)
_ATIMES = (
    ("relatime", consts.MOUNT_ATTR_RELATIME, consts.MS_RELATIME),
    ("noatime", consts.MOUNT_ATTR_NOATIME, consts.MS_NOATIME),
    ("strictatime", consts.MOUNT_ATTR_STRICTATIME, consts.MS_STRICTATIME),
)
_VALUE_LIMIT = 255          # fsconfig(2) takes 256 bytes, the final zero included
_found: t.List[bool] = []       # what takes_single_layers() has found out
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=@%~")


def mount(source: str, target: Target, *, fstype: str, flags: int = 0, data: str = "") -> None:
    path = path_of(target)
    packed = os.fsencode(data) if data else None
    call(libc.mount, os.fsencode(source), os.fsencode(path), fstype.encode(), flags, packed, op="mount " + fstype, subject=path)


def bind(source: Target, target: Target, *, recursive: bool = False) -> None:
    """Keeps the source's attributes; the kernel ignores any others in a bind, so set_attributes() has to follow."""
    path = path_of(target)
    flags = consts.MS_BIND | (consts.MS_REC if recursive else 0)
    origin = path_of(source)
    call(libc.mount, os.fsencode(origin), os.fsencode(path), None, flags, None, op="bind %s on" % origin, subject=path)


def set_propagation(target: Target, flag: int, *, recursive: bool = False) -> None:
    """One of MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE."""
    path = path_of(target)
    flags = flag | (consts.MS_REC if recursive else 0)
    call(libc.mount, None, os.fsencode(path), None, flags, None, op="set propagation of", subject=path)


def umount(target: Target, *, detach: bool = False) -> None:
    """A link as last component of a path is refused, not followed."""
    path = path_of(target)
    flags = (consts.MNT_DETACH if detach else 0) | (consts.UMOUNT_NOFOLLOW if isinstance(target, str) else 0)
    call(libc.umount2, os.fsencode(path), flags, op="umount", subject=path)


def pivot_root(new_root: str, put_old: str) -> None:
    call(libc.pivot_root, os.fsencode(new_root), os.fsencode(put_old), op="pivot_root", subject=new_root)


def path_of(target: Target) -> str:
    """A path that leads to the open file, whatever has been renamed or mounted since."""
    return "/proc/self/fd/%d" % target if isinstance(target, int) else target


# The new interface: Linux 5.2, mount_setattr 5.12.

def fsopen(fstype: str) -> int:
    return syscall(NR["fsopen"], fstype.encode(), consts.FSOPEN_CLOEXEC, op="fsopen", subject=fstype)


def fsconfig_string(fd: int, key: str, value: str) -> None:
    _fsconfig(fd, consts.FSCONFIG_SET_STRING, key, os.fsencode(value))


def fsconfig_flag(fd: int, key: str) -> None:
    _fsconfig(fd, consts.FSCONFIG_SET_FLAG, key, None)


def fsconfig_create(fd: int) -> None:
    """Makes the file system that the settings describe."""
    _fsconfig(fd, consts.FSCONFIG_CMD_CREATE, "", None)


def _fsconfig(fd: int, command: int, key: str, value: t.Optional[bytes]) -> None:
    try:
        syscall(NR["fsconfig"], fd, command, key.encode() or None, value, 0, op="fsconfig", subject=key or "create")
    except KernelError as error:
        said = _messages(fd)
        if said:
            error.reason = "%s: %s" % (error.reason, said)
        raise


def _messages(fd: int) -> str:
    """What the file system wrote about its refusal: one message a read, "e overlay: ..."."""
    found: t.List[str] = []
    while len(found) < 16:
        try:
            found.append(os.read(fd, 4096).decode("utf-8", "replace").strip())
        except OSError:         # ENODATA: no more of them
            break
    return "; ".join(found)


def fsmount(fd: int, *, attributes: int = 0) -> int:
    """A mount that is in no tree yet; it lives as long as the descriptor, unless move_mount() gives it a place."""
    return syscall(NR["fsmount"], fd, consts.FSMOUNT_CLOEXEC, attributes, op="fsmount")


def open_tree(target: Target, *, clone: bool = False, recursive: bool = False) -> int:
    """O_PATH descriptor of a mount, or with `clone` of a detached bind mount of it."""
    flags = consts.OPEN_TREE_CLOEXEC | (consts.OPEN_TREE_CLONE if clone else 0) | (consts.AT_RECURSIVE if recursive else 0)
    folder, path, empty = _at(target, consts.AT_EMPTY_PATH)
    return syscall(NR["open_tree"], folder, path, flags | empty, op="open_tree", subject=path_of(target))


def move_mount(fd: int, target: Target) -> None:
    """Attaches what fsmount() or open_tree(clone=True) made. A link at the end of the path is not followed."""
    folder, path, empty = _at(target, consts.MOVE_MOUNT_T_EMPTY_PATH)
    flags = consts.MOVE_MOUNT_F_EMPTY_PATH | empty
    syscall(NR["move_mount"], fd, b"", folder, path, flags, op="move_mount", subject=path_of(target))


def mount_setattr(
    target: Target, *, set_: int = 0, clear: int = 0, propagation: int = 0, userns_fd: int = 0, recursive: bool = False
) -> None:
    value = structs.MountAttr(set_, clear, propagation, userns_fd)
    folder, path, empty = _at(target, consts.AT_EMPTY_PATH)
    flags = empty | (consts.AT_RECURSIVE if recursive else 0)
    syscall(NR["mount_setattr"], folder, path, flags, ctypes.byref(value), ctypes.sizeof(value),
            op="mount_setattr", subject=path_of(target))


def _at(target: Target, empty_flag: int) -> t.Tuple[int, bytes, int]:
    return (target, b"", empty_flag) if isinstance(target, int) else (consts.AT_FDCWD, os.fsencode(target), 0)


def set_attributes(target: Target, *, set_: int = 0, clear: int = 0, recursive: bool = False) -> None:
    """MOUNT_ATTR_* of the mount whose root the target is, and with `recursive` of all below it."""
    if set_ & consts.MOUNT_ATTR__ATIME:
        clear |= consts.MOUNT_ATTR__ATIME       # the kernel demands it: the three atimes are one field
    if not is_missing("mount_setattr"):         # Linux 5.12
        mount_setattr(target, set_=set_, clear=clear, recursive=recursive)
        return
    path = os.path.realpath(path_of(target))
    covered = {entry.mount_point: entry for entry in mountinfo.entries()}
    if path not in covered:
        raise KernelError("set attributes of", path, errno.EINVAL)
    for point, entry in sorted(covered.items()):
        if point == path or (recursive and (point + "/").startswith(path.rstrip("/") + "/")):
            flags = consts.MS_REMOUNT | consts.MS_BIND | remount_flags(entry.options, set_=set_, clear=clear)
            call(libc.mount, None, os.fsencode(point), None, flags, None, op="remount", subject=point)


def remount_flags(options: t.Sequence[str], *, set_: int, clear: int) -> int:
    """All flags that a remount has to repeat, because it drops what is not said."""
    flags = 0
    for name, attribute, flag in _ATTRIBUTES:
        if set_ & attribute or (name in options and not clear & attribute):
            flags |= flag
    if clear & consts.MOUNT_ATTR__ATIME:
        return flags | {attribute: flag for _name, attribute, flag in _ATIMES}[set_ & consts.MOUNT_ATTR__ATIME]
    kept = [flag for name, _attribute, flag in _ATIMES if name in options]
    return flags | (kept[0] if kept else consts.MS_STRICTATIME)     # mountinfo has no word for strictatime


# Overlay. `lower` is topmost first; the kernel takes up to 500 layers.

def overlay(
    target: Target,
    *,
    lower: t.Sequence[str],
    upper: t.Optional[str] = None,
    work: t.Optional[str] = None,
    options: t.Sequence[str] = (),
) -> None:
    """Mounts the stack. Without `upper` it is read-only. `options` are further ones, `name` or `name=value`."""
    _check_stack(lower, upper=upper, work=work)
    if upper is None and len(lower) == 1:       # overlayfs wants two lower layers then; the stack of one is the layer
        bind(lower[0], target)
        set_attributes(target, set_=consts.MOUNT_ATTR_RDONLY)
    elif takes_single_layers():
        fd = overlay_tree(lower=lower, upper=upper, work=work, options=options)
        try:
            move_mount(fd, target)
        finally:
            os.close(fd)
    else:
        _overlay_by_mount(target, lower=lower, upper=upper, work=work, options=options)


def _check_stack(lower: t.Sequence[str], *, upper: t.Optional[str], work: t.Optional[str]) -> None:
    if not lower:
        raise Invalid("lower", "an overlay has at least one lower layer")
    if (upper is None) != (work is None):
        raise Invalid("upper", "an overlay has both an upper and a work directory, or neither")


def overlay_tree(
    *,
    lower: t.Sequence[str],
    upper: t.Optional[str] = None,
    work: t.Optional[str] = None,
    options: t.Sequence[str] = (),
    attributes: int = 0,
) -> int:
    """Descriptor of a detached mount of the stack. Only where takes_single_layers()."""
    with _Layers() as layers:
        fd = fsopen("overlay")
        try:
            fsconfig_string(fd, "source", "cocker")
            for path in lower:
                fsconfig_string(fd, "lowerdir+", layers.name(path))
            if upper is not None and work is not None:
                fsconfig_string(fd, "upperdir", layers.name(upper))
                fsconfig_string(fd, "workdir", layers.name(work))
            for key, equals, value in (option.partition("=") for option in options):
                if equals:
                    fsconfig_string(fd, key, value)
                else:
                    fsconfig_flag(fd, key)
            fsconfig_create(fd)
            return fsmount(fd, attributes=attributes)
        finally:
            os.close(fd)


def takes_single_layers() -> bool:
    """Whether overlayfs has `lowerdir+` (Linux 6.7); before 6.5 it would take any word here and fail only in the end."""
    if not _found:
        _found.append(_takes_single_layers())
    return _found[0]


def _takes_single_layers() -> bool:
    if is_missing("fsopen"):
        return False
    try:
        fd = fsopen("overlay")
    except KernelError:
        return False
    try:
        return _is_unknown(fd, "no-such-option") and not _is_unknown(fd, "lowerdir+")
    finally:
        os.close(fd)


def _is_unknown(fd: int, key: str) -> bool:
    try:
        fsconfig_string(fd, key, "/nonexistent")
    except KernelError as error:
        return "Unknown parameter" in error.reason
    return False


def _overlay_by_mount(
    target: Target, *, lower: t.Sequence[str], upper: t.Optional[str], work: t.Optional[str], options: t.Sequence[str]
) -> None:
    """Every directory by the number of its descriptor: 500 fit into the one page that mount(2) takes, and nothing needs an escape."""
    path = path_of(target) if isinstance(target, int) else os.path.abspath(target)
    with _Layers() as layers:
        home = layers.open(".")
        words = ["lowerdir=" + ":".join(str(layers.open(name)) for name in lower)]
        if upper is not None and work is not None:
            words += ["upperdir=%d" % layers.open(upper), "workdir=%d" % layers.open(work)]
        try:
            os.chdir("/proc/self/fd")
            mount("cocker", path, fstype="overlay", data=",".join(words + list(options)))
        finally:
            os.fchdir(home)


class _Layers:
    """Directories of a stack, held open while the kernel looks them up."""

    def __init__(self) -> None:
        self._fds: t.List[int] = []

    def __enter__(self) -> _Layers:
        return self

    def __exit__(self, *_exc: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def open(self, path: str) -> int:
        self._fds.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        return self._fds[-1]

    def name(self, path: str) -> str:
        """The path itself, which is what mountinfo will show, unless it is too long or has letters that overlayfs reads otherwise."""
        if len(path) <= _VALUE_LIMIT and _PLAIN.issuperset(path):
            return path
        return path_of(self.open(path))

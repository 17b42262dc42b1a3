# SPDX-License-Identifier: BSD-2-Clause
"""A container's file system, made inside its own mount namespace and then pivoted to: root, mounts, propagation.

Every destination is opened below the root by openat2 and mounted on as a descriptor. Not here: nodes in /dev (devices.py),
hidden paths (masks.py).
"""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, namespaces, rootpath, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import cgroup_mount, mount_options

_DIRECTORY = os.O_PATH | os.O_DIRECTORY
# What lxcfs and its like put over single files of /proc; nothing else may be mounted in there.
_IN_PROC = frozenset("/proc/" + name for name in (
    "cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat", "swaps", "sys/kernel/ns_last_pid", "uptime",
))
# Where the image may have no link, and what may be mounted there.
_OWN = {"/proc": ("proc", "bind"), "/sys": ("sysfs", "bind"), "/dev": ("tmpfs", "devtmpfs", "bind")}


class Placed(t.NamedTuple):
    """A mount of the config with its options read and, for a bind mount, its source already held (`tree`)."""

    mount: oci.Mount
    options: mount_options.Options
    tree: int = -1
    is_directory: bool = True


def prepare(bundle: oci.Bundle) -> t.List[Placed]:
    """Before fork: everything that can be found wrong without touching the kernel. Raises Invalid, Unsupported."""
    found = []
    for place, mount in enumerate(bundle.mounts):
        options = mount_options.parse(mount.options, option="mounts[%d]" % place)
        options = options._replace(bind=options.bind or mount.type in ("bind", "rbind"))
        path = os.path.normpath(mount.destination)
        kinds = _OWN.get(path)
        kind = "bind" if options.bind else mount.type
        if kinds and kind not in kinds:
            raise Invalid("mounts[%d]" % place, "nothing else may be mounted on %s" % path)
        if options.bind and not mount.source.startswith("/"):
            raise Invalid("mounts[%d]" % place, "the source %r is not an absolute path" % mount.source)
        if path != "/":
            found.append(Placed(mount, _of_container(mount, options, bundle.process.maps, place)))
    return found


def _of_container(mount: oci.Mount, options: mount_options.Options, maps: t.Optional[idmap.Maps], place: int) -> mount_options.Options:
    """The owners that a file system is told are the host's, and meant are the container's."""
    if maps is None or options.bind:
        return options
    data = []
    for word in options.data:
        key, _equals, value = word.partition("=")
        if key in ("uid", "gid") and value.isdigit():
            number = idmap.outside(maps.uids if key == "uid" else maps.gids, int(value))
            if number is None and mount.type == "tmpfs":
                raise Invalid("mounts[%d]" % place, "%s: the container has no such id" % word)
            word = "" if number is None else "%s=%d" % (key, number)
        data.append(word)
    return options._replace(data=tuple(word for word in data if word))


def hold_sources(placed: t.Sequence[Placed], user: int = -1) -> t.List[Placed]:
    """Clones what is bound, while the propagation of the host's mounts is still in force. NotFound for a missing source."""
    held = [_held(item) if item.options.bind else item for item in placed]
    for item in held:
        if item.options.mapped and user >= 0 and item.tree >= 0:
            userns.show_mapped(item.tree, user)
    return held


def _held(item: Placed) -> Placed:
    source, tree = item.mount.source, -1
    pid, root, inside = source[len("/proc/"):].partition("/root/") if source.startswith("/proc/") else ("", "", "")
    if root and pid.isdigit():
        return item._replace(tree=_foreign_tree(pid, "/" + inside))
    try:
        # Not through automounts or links below: the administrator named the path, so links in it are followed.
        fd = _opened(source, item.options.below)
    except OSError as error:
        place = os.path.join(source, item.options.below) if item.options.below else source
        raise NotFound("mount source", place, os.strerror(error.errno or errno.EIO)) from error
    is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
    if not libc.is_missing("open_tree") and not libc.is_missing("mount_setattr"):
        tree = mounts.open_tree(fd, clone=True, recursive=item.options.recursive)
        os.close(fd)
    elif item.options.below:    # held until it is bound: the path could lead elsewhere by then
        item = item._replace(mount=item.mount._replace(source=mounts.path_of(fd)))
    else:
        os.close(fd)
    return item._replace(tree=tree, is_directory=is_directory)


def _opened(source: str, below: str) -> int:
    fd = os.open(source, os.O_PATH | os.O_CLOEXEC)
    if not below:
        return fd
    try:
        return rootpath.open_in(fd, below, os.O_PATH)
    finally:
        os.close(fd)


def _foreign_tree(pid: str, path: str) -> int:
    """A directory that another container has mounted: a mount can be cloned only from inside its own namespace (open_tree(2))."""
    if libc.is_missing("open_tree") or libc.is_missing("mount_setattr"):
        raise Unsupported("mount source", path, "this kernel cannot hand a mount of one container to another (Linux 5.12)")
    try:
        space = namespaces.open_of(pid, "mount")
    except OSError as error:
        raise NotFound("mount source", path, "the container that has it is gone") from error
    try:
        with namespaces.entered(space, "mount"):
            return mounts.open_tree(path, clone=True)
    finally:
        os.close(space)


def mount_root(bundle: oci.Bundle, folder: str, user: int = -1) -> int:
    """The root in its place, private; returns its descriptor. The files of its layers belong to the users of the namespace `user`."""
    propagation = mount_options.PROPAGATION[bundle.propagation]
    outer = consts.MS_SLAVE if propagation & consts.MS_SLAVE else consts.MS_PRIVATE
    mounts.set_propagation("/", outer, recursive=True)
    path = os.path.join(folder, bundle.root)
    overlay = bundle.overlay()
    if overlay is None:
        mounts.bind(path, path, recursive=True)
    elif overlay.type == "overlay":
        _mount_overlay(path, overlay, folder, user)
    else:
        raise Invalid("mounts", "the mount on / is not an overlay")
    mounts.set_propagation(path, consts.MS_PRIVATE)
    return rootpath.open_root(path)


def _mount_overlay(path: str, mount: oci.Mount, folder: str, user: int) -> None:
    lower: t.List[str] = []
    single: t.Dict[str, str] = {}
    others = []
    for word in mount.options:
        key, _equals, value = word.partition("=")
        if key in ("lowerdir+", "lowerdir"):
            lower += [value] if key == "lowerdir+" else value.split(":")
        elif key in ("upperdir", "workdir"):
            single[key] = value
        elif word == mount_options.OWNED:
            user = -1
        elif word not in ("rw", "relatime"):
            others.append(word)
    if user >= 0:       # Linux 5.19; overlayfs wants the upper and the work directory on one mount
        for layer in [*lower, folder]:
            userns.cover_mapped(layer, user)
    mounts.overlay(path, lower=lower, upper=single.get("upperdir"), work=single.get("workdir"), options=others)


def place(root_fd: int, item: Placed, *, cgroups: cgroup_mount.View) -> int:
    """One mount on its destination, which is made if missing. Returns the descriptor of the mounted root; the caller closes it."""
    destination = item.mount.destination
    target = _target(root_fd, destination, directory=item.is_directory)
    try:
        _check(root_fd, target, item)
        if item.options.bind:
            _bind(root_fd, target, item)
        elif item.mount.type in ("cgroup", "cgroup2"):
            cgroup_mount.mount(
                target, lambda: rootpath.open_in(root_fd, destination, _DIRECTORY), options=item.options, view=cgroups)
        else:
            _filesystem(target, item)
    finally:
        os.close(target)
    mounted = rootpath.open_in(root_fd, destination, os.O_PATH)
    if item.options.propagation and not item.options.bind:
        mounts.set_propagation(mounted, item.options.propagation & ~consts.MS_REC)
    return mounted


def _target(root_fd: int, destination: str, *, directory: bool) -> int:
    if os.path.normpath(destination) in _OWN:
        _refuse_link(root_fd, destination)
    if directory:
        rootpath.ensure_dir(root_fd, destination)
        return rootpath.open_in(root_fd, destination, _DIRECTORY)
    rootpath.ensure_file(root_fd, destination)
    return rootpath.open_in(root_fd, destination, os.O_PATH)


def _refuse_link(root_fd: int, destination: str) -> None:
    """An image with /proc or /sys as a link would have its labels and masks elsewhere."""
    try:
        fd = rootpath.open_in(root_fd, os.path.normpath(destination), os.O_PATH | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise Invalid("mounts", "%s is not a directory in this image" % destination)
    finally:
        os.close(fd)


def _check(root_fd: int, target: int, item: Placed) -> None:
    """Where the destination has led: nothing may cover /proc or what is in it, however it is spelled."""
    root = os.readlink(mounts.path_of(root_fd)).rstrip("/")
    reached = os.readlink(mounts.path_of(target))[len(root):] or "/"
    if reached == "/":
        raise Invalid("mounts", "%s leads to the root itself" % item.mount.destination)
    if item.mount.type == "proc" and not item.options.bind or reached == "/proc" and _is_whole_proc(item.tree):
        return
    if libc.is_procfs(target) and reached not in _IN_PROC or reached == "/proc":
        raise Invalid("mounts", "nothing may be mounted on %s" % reached)


def _is_whole_proc(tree: int) -> bool:
    """The root of a proc file system, which a user namespace may have to take as it is (its inode: PROC_ROOT_INO)."""
    return tree >= 0 and libc.is_procfs(tree) and os.fstat(tree).st_ino == 1


def _bind(root_fd: int, target: int, item: Placed) -> None:
    options = item.options
    propagation = options.propagation or consts.MS_PRIVATE | consts.MS_REC
    if item.tree < 0:       # before Linux 5.12
        mounts.bind(item.mount.source, target, recursive=options.recursive)
        again = rootpath.open_in(root_fd, item.mount.destination, os.O_PATH)
        mounts.set_propagation(again, propagation & ~consts.MS_REC, recursive=bool(propagation & consts.MS_REC))
        if options.set_ or options.clear:
            mounts.set_attributes(again, set_=options.set_, clear=options.clear)
        os.close(again)
        return
    if propagation & ~consts.MS_REC != consts.MS_SHARED:        # the clone of a shared mount is its peer already
        recursive = bool(propagation & consts.MS_REC)
        mounts.mount_setattr(item.tree, propagation=propagation & ~consts.MS_REC, recursive=recursive)
    if options.set_ or options.clear:
        mounts.set_attributes(item.tree, set_=options.set_, clear=options.clear)
    if options.set_below or options.clear_below:
        mounts.set_attributes(item.tree, set_=options.set_below, clear=options.clear_below, recursive=True)
    mounts.move_mount(item.tree, target)
    os.close(item.tree)


def _filesystem(target: int, item: Placed) -> None:
    mount = item.mount
    data = ",".join(item.options.data)
    mounts.mount(mount.source or mount.type, target, fstype=mount.type, flags=item.options.flags, data=data)


def pivot(root_fd: int) -> None:
    """The root becomes /, and the host's tree is gone (pivot_root(2), "pivot_root(".", ".")")."""
    old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fchdir(root_fd)
    mounts.pivot_root(".", ".")
    os.fchdir(old)
    mounts.set_propagation(".", consts.MS_SLAVE, recursive=True)       # so that the umount does not reach the host
    mounts.umount(".", detach=True)
    os.chdir("/")
    os.close(old)


def set_read_only(root_fd: int) -> None:
    """The root alone; what is mounted below keeps its own."""
    mounts.set_attributes(root_fd, set_=consts.MOUNT_ATTR_RDONLY)


def ensure_working_directory(root_fd: int, path: str) -> None:
    """As docker does; what is there already is left to open_working_directory to judge."""
    try:
        rootpath.ensure_dir(root_fd, path)
    except OSError as error:
        raise _bad_directory(path, error) from error


def open_working_directory(root_fd: int, path: str, option: str = "working_dir") -> int:
    """Magic links such as /proc/self/fd/N are refused, they would lead out."""
    if not path.startswith("/"):
        raise Invalid(option, "%r is not absolute" % path)
    try:
        return rootpath.open_in(root_fd, path, _DIRECTORY)
    except OSError as error:
        raise _bad_directory(path, error, option) from error


def _bad_directory(path: str, error: OSError, option: str = "working_dir") -> Invalid:
    if error.errno == errno.ELOOP:
        return Invalid(option, "%s leads through a link that is refused" % path)
    return Invalid(option, "%s: %s" % (path, os.strerror(error.errno or errno.EIO)))


def open_own_dev(root_fd: int) -> int:
    """The image's /dev where the config mounts none: a real directory below the root, made if missing."""
    _refuse_link(root_fd, "/dev")
    rootpath.ensure_dir(root_fd, "/dev")
    return rootpath.open_in(root_fd, "/dev", _DIRECTORY | os.O_NOFOLLOW)

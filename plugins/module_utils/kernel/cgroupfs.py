# SPDX-License-Identifier: BSD-2-Clause
"""Where the cgroup hierarchies of this host are mounted, and reading and writing their control files (cgroups(7)).

Not here: what is written, and in which order (runtime/cgroups/).
"""
from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, small
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError, Unsupported

CLONE_INTO_CGROUP = 0x200000000  # Linux 5.7
CLONE_PARENT = 0x8000
CLONE_ARGS_FIRST_SIZE, CLONE_ARGS_SIZE = 64, 88
_CloneArguments = ctypes.c_uint64 * (CLONE_ARGS_SIZE // 8)     # made once: a type is a lot of memory


class Layout(t.NamedTuple):
    """mode is "v1", "hybrid" or "v2"; `controllers` maps each name to its mount point (co-mounted ones share it).

    Named v1 hierarchies appear as "name=systemd". `unified` is the mount point of the v2 hierarchy, "" without one.
    """

    mode: str
    controllers: t.Mapping[str, str]
    unified: str

    def version(self, controller: str) -> int:
        """1 or 2, as the controller is bound; 0 when this host does not offer it."""
        point = self.controllers.get(controller)
        if point is None:
            return 0
        return 2 if point == self.unified else 1


_remembered: t.List[Layout] = []


def layout(proc: str = "/proc/self") -> Layout:
    """Reads three small files. Raises Unsupported when no hierarchy is mounted."""
    v1, unified = hierarchies(os.fsdecode(small.read(proc + "/mountinfo")), os.fsdecode(small.read(proc + "/cgroup")))
    if not v1 and not unified:
        raise Unsupported("cgroups", "", "no cgroup hierarchy is mounted", hint="mount cgroup2 on /sys/fs/cgroup")
    controllers = dict(v1)
    if unified:
        for name in read(unified, "cgroup.controllers").split():
            controllers.setdefault(name, unified)
    mode = "v2" if not v1 else "hybrid" if unified else "v1"
    return Layout(mode=mode, controllers=controllers, unified=unified)


def remembered() -> Layout:
    """As it was when this process, or the one that it is a copy of, asked first."""
    if not _remembered:
        _remembered.append(layout())
    return _remembered[0]


def hierarchies(mountinfo: str, membership: str) -> t.Tuple[t.Dict[str, str], str]:
    """Pure: (v1 controller -> mount point, v2 mount point or ""), from the texts of mountinfo and /proc/<pid>/cgroup."""
    known = {name for line in membership.splitlines() for name in line.split(":", 2)[1].split(",") if name}
    v1: t.Dict[str, t.Tuple[int, str]] = {}
    v2: t.Tuple[int, str] = (2, "")
    for line in mountinfo.splitlines():
        head, dash, tail = line.partition(" - cgroup")
        if not dash:
            continue
        tail = "cgroup" + tail
        _id, _parent, _device, root, point = head.split(" ")[:5]
        fstype, _source, options = tail.split(" ")[:3]
        # A bind of a part of a hierarchy counts only when the whole is nowhere to be seen.
        rank = 0 if root == "/" else 1
        place = (rank, _unescape(point))
        if fstype == "cgroup2":
            v2 = min(v2, place, key=lambda found: found[0])
        elif fstype == "cgroup":
            for name in known.intersection(options.split(",")):
                v1[name] = min(v1.get(name, place), place, key=lambda found: found[0])
    return {name: place[1] for name, place in sorted(v1.items())}, v2[1]


def _unescape(path: str) -> str:
    if "\\" not in path:
        return path
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path


def check_name(name: str, *, option: str = "name") -> str:
    """One directory below a hierarchy. Raises Invalid; encoding other names is the caller's."""
    if not name or name in (".", "..") or len(os.fsencode(name)) > 255 or any(bad in name for bad in "/\0\n"):
        raise Invalid(option, "%r is not a plain file name" % name)
    return name


def read(directory: str, name: str) -> str:
    """The whole file without the last newline. Raises KernelError."""
    path = directory + "/" + name
    try:
        return os.fsdecode(small.read(path)).rstrip("\n")
    except OSError as error:
        raise KernelError("read", path, error.errno or errno.EIO) from error


def find(directory: str, name: str) -> t.Optional[str]:
    """As `read`; None where the kernel has no such file, or the cgroup is gone."""
    try:
        return read(directory, name)
    except KernelError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
            return None
        raise


def write(directory: str, name: str, value: str) -> None:
    """One write(2), as the kernel wants it; never creates a file. Raises KernelError that names the value."""
    path = directory + "/" + name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, os.fsencode(value))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise KernelError("write %r to" % value, path, error.errno or errno.EIO) from error


def has(directory: str, name: str) -> bool:
    return os.path.exists(directory + "/" + name)


def is_frozen(paths: t.Mapping[str, str]) -> bool:
    """Whether the cgroup with these directories stands still, by the one freezer or the other; False when it is gone."""
    v1, v2 = paths.get("freezer"), paths.get("unified")
    if v2 and keyed(find(v2, "cgroup.events")).get("frozen") == 1:
        return True
    return bool(v1) and find(str(v1), "freezer.state") == "FROZEN"


def pids(directory: str, name: str = "cgroup.procs") -> t.List[int]:
    """The processes of one cgroup; [] when it is gone. Those that our pid namespace cannot name (0) are left out."""
    text = find(directory, name)
    return [pid for pid in map(int, (text or "").split()) if pid]


def subtree(directory: str) -> t.List[str]:
    """The cgroup and all below it, deepest first; [] when it is gone."""
    found: t.List[str] = []
    queue = [directory]
    while queue:
        current = queue.pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            with os.scandir(current) as entries:
                queue.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
            found.append(current)
    found.reverse()
    return found


def keyed(text: t.Optional[str]) -> t.Dict[str, int]:
    """A "flat keyed" file (cpu.stat, memory.events, memory.oom_control) as a mapping."""
    pairs = (line.split() for line in (text or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def fork_into(descriptor: int) -> int:
    """As fork(2), but the child is born in the v2 cgroup open as `descriptor`.

    Moving a process later takes a lock that costs 5 to 10 ms; this does not. Otherwise as `fork_as`.
    """
    return fork_as(CLONE_INTO_CGROUP, descriptor)


def fork_as(flags: int, descriptor: int = 0) -> int:
    """fork(2) with flags of clone3(2). Single-threaded callers only. Python's own after-fork hooks do not run in the child.

    Raises Unsupported before Linux 5.3 (CLONE_INTO_CGROUP: 5.7), or where clone3 is filtered; CLONE_PARENT alone works there, too.
    """
    ending = 0 if flags & CLONE_PARENT else signal.SIGCHLD      # a sibling ends with our own signal
    fields = [flags, 0, 0, 0, ending, 0, 0, 0, 0, 0, descriptor]
    arguments = _CloneArguments(*fields)
    size = CLONE_ARGS_SIZE if flags & CLONE_INTO_CGROUP else CLONE_ARGS_FIRST_SIZE
    try:
        return libc.syscall(libc.NR["clone3"], ctypes.byref(arguments), size, op="clone3")
    except KernelError as error:
        if error.errno in (errno.ENOSYS, errno.EINVAL, errno.E2BIG, errno.EPERM):
            if flags == CLONE_PARENT and "clone" in libc.NR:
                return _fork_sibling()
            raise Unsupported("clone3", "", "a process cannot be born that way here: %s" % error.reason) from error
        raise


def fork_member(descriptor: int, flags: int = 0) -> int:
    """As `fork_as`, into the v2 cgroup open as `descriptor`, if there is one: by birth, or before Linux 5.7 by a move of the child."""
    if descriptor >= 0:
        with contextlib.suppress(Unsupported):
            return fork_as(flags | CLONE_INTO_CGROUP, descriptor)
    pid = fork_as(flags) if flags else os.fork()
    if pid == 0 and descriptor >= 0:
        fd = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=descriptor)
        os.write(fd, b"0")
        os.close(fd)
    return pid


def _fork_sibling() -> int:
    """By clone(2), whose two first arguments have changed places on s390."""
    flags = CLONE_PARENT | signal.SIGCHLD
    first = (0, flags) if os.uname().machine.startswith("s390") else (flags, 0)
    return libc.syscall(libc.NR["clone"], *first, 0, 0, 0, op="clone")

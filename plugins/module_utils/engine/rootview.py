# SPDX-License-Identifier: BSD-2-Clause
"""A container's root as a descriptor, with all that is mounted in it: of one that runs, and of one that does not.

No process of ours is left in the container's namespaces, and nothing in it is run. Not here: what is done below the root.
"""
from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import contents, usermaps
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mounts, namespaces, process, rootpath, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import CONTENT, TMPFS, VOLUME, Mount
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners, snapshots, volumes

# Where a container finds what a start mounts there: nothing that is put there would be left.
_EMPTY = ("/proc", "/sys", "/dev")
_GENERATED = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_LONGEST = 4096


class Root(t.NamedTuple):
    """Both are closed when the view ends; `space` holds the mounts, so that they stay where the container ends meanwhile.

    `maps` say whose the files there are: in a container that runs in a user namespace, and where they belong to its users on the disk.
    """

    fd: int
    space: int
    maps: t.Optional[idmap.Maps] = None


@contextlib.contextmanager
def opened(host: Host, found: ContainerState, *, writable: bool = False) -> t.Iterator[Root]:
    """Unless it is `writable`, a container that does not run is seen with a writable layer that nobody will ever see again.

    Raises NotFound, Damaged, Conflict.
    """
    if found.status is None:
        raise NotFound("container", found.name, "it does not exist")
    if found.record is None:
        raise Damaged("use container", found.name, "its record cannot be read")
    root = _of_process(host, found) if found.running else mounted(host, found.record, writable=writable)
    try:
        with userns.files_made_as(*root.maps.root) if writable and root.maps is not None else contextlib.nullcontext():
            yield root
    finally:
        os.close(root.fd)
        os.close(root.space)


def _of_process(host: Host, found: ContainerState) -> Root:
    running = t.cast(t.Any, found.running)
    identity = process.Identity(running.pid, running.start_time)
    try:
        space = namespaces.open_of(running.pid, "mount")
        try:
            fd = rootpath.open_root("/proc/%d/root" % running.pid)
        except OSError:
            os.close(space)
            raise
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Conflict("use container", found.name, "it has just ended") from error
    if not identity.alive():        # the pid may have changed hands before it was opened
        os.close(fd)
        os.close(space)
        raise Conflict("use container", found.name, "it has just ended")
    return Root(fd, space, usermaps.of(host, found.record.spec) if found.record is not None else None)


def mounted(host: Host, record: ContainerRecord, *, writable: bool = False) -> Root:
    """Its root in a mount namespace of its own, where no process stays."""
    maps = owners.find(os.path.join(host.layout.container(record.spec.name), snapshots.UPPER))
    lower = [owners.shown(diff, maps) for diff in snapshots.lower_dirs(host.layout, record.stack())]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _make(theirs, lambda: _mount(host, record, lower, maps, writable=writable))
        theirs.close()
        try:
            answer, fds, _flags, _address = socket.recv_fds(ours, _LONGEST, 2)
        finally:
            os.waitpid(child, 0)
    if len(fds) == 2:
        return Root(fds[0], fds[1], maps)
    reason = json.loads(answer) if answer else "the process that mounts it has died"
    raise CockerError("mount the root of", record.spec.name, reason)


def _make(answers: socket.socket, mount: t.Callable[[], int]) -> t.NoReturn:
    """In the child."""
    try:
        process.set_dumpable(dumpable=False)
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mounts.set_propagation("/", consts.MS_PRIVATE, recursive=True)
        root = mount()
        space = namespaces.open_of("self", "mount")
        socket.send_fds(answers, [b"{}"], [root, space])
    except BaseException as error:  # the copy of a task must not go on as a second one
        answers.send(json.dumps(str(error)).encode()[:_LONGEST])
        os._exit(1)
    os._exit(0)


def _mount(host: Host, record: ContainerRecord, lower: t.Sequence[str], maps: owners.OptionalMaps, *, writable: bool) -> int:
    bundle = host.layout.container(record.spec.name)
    merged = os.path.join(bundle, "merged")
    upper, work = os.path.join(bundle, "upper"), os.path.join(bundle, "work")
    stack = list(lower)
    if not writable:
        mounts.mount("cocker", merged, fstype="tmpfs", data="mode=0700")
        stack.insert(0, upper)
        upper, work, merged = (os.path.join(merged, part) for part in ("upper", "work", "merged"))
        for path in (upper, work, merged):
            os.mkdir(path)
        facts = os.stat(stack[0])
        os.chown(upper, facts.st_uid, facts.st_gid)
        os.chmod(upper, facts.st_mode & 0o7777)
    mounts.overlay(merged, lower=stack, upper=upper, work=work)
    root = rootpath.open_root(merged)
    if maps is not None:
        userns.make_files_as(*maps.root)
    taken = _bind_all(host, record, root, maps)
    if not writable:            # where a start mounts something, nothing is to be put, and nothing is made for that alone
        for path in _EMPTY:
            if path not in taken:
                _place(root, path, "")
        for path in _GENERATED:
            if path not in taken:
                _place(root, path, "/dev/null")
    if record.spec.read_only:
        mounts.set_attributes(root, set_=consts.MOUNT_ATTR_RDONLY)
    return root


def _bind_all(host: Host, record: ContainerRecord, root: int, maps: owners.OptionalMaps) -> t.Set[str]:
    """Volumes and host paths as the container has them; a tmpfs is empty, and nothing can be put there."""
    taken = set()
    for wanted in sorted(record.spec.mounts or (), key=lambda mount: mount.target):
        source = _source(host, record.spec.name, wanted)
        if wanted.kind != TMPFS and not os.path.exists(source):
            raise NotFound("mount source", source, os.strerror(errno.ENOENT))
        if wanted.kind == VOLUME and owners.find(source) != maps:
            raise Conflict("use volume", wanted.source, "its files belong to another container's users", hint="start this container first")
        with _below(source, wanted.subpath) as place:
            _place(root, wanted.target, "" if wanted.kind == TMPFS else place, read_only=wanted.read_only)
        taken.add(wanted.target)
    return taken


def _source(host: Host, container: str, wanted: Mount) -> str:
    if wanted.kind != CONTENT:
        return host.layout.volume_data(wanted.source) if wanted.kind == VOLUME else wanted.source
    written = contents.path(host.layout, container, wanted.target)
    return written if os.path.exists(written) else os.devnull       # the first start writes it


@contextlib.contextmanager
def _below(source: str, subpath: t.Optional[str]) -> t.Iterator[str]:
    """A path that leads to what of the volume is mounted, during the block. Raises NotFound."""
    if not subpath:
        yield source
        return
    fd = volumes.open_below(source, subpath)
    try:
        yield mounts.path_of(fd)
    finally:
        os.close(fd)


def _place(root: int, path: str, source: str, *, read_only: bool = False) -> None:
    """Without a source an empty place that takes nothing."""
    if source and not os.path.isdir(source):
        rootpath.ensure_file(root, path)
    else:
        rootpath.ensure_dir(root, path)
    target = rootpath.open_in(root, path, os.O_PATH)
    try:
        if source:
            mounts.bind(source, target, recursive=True)
        else:
            mounts.mount("cocker", target, fstype="tmpfs", flags=consts.MS_RDONLY, data="mode=0755")
    finally:
        os.close(target)
    if read_only:
        again = rootpath.open_in(root, path, os.O_PATH)
        try:
            mounts.set_attributes(again, set_=consts.MOUNT_ATTR_RDONLY, recursive=True)
        finally:
            os.close(again)

# SPDX-License-Identifier: BSD-2-Clause
"""Commands in a container that does not run or an image, and files of any: in namespaces of their own, with its root mounted for the time.

Nothing of the container's own is started. Not here: a container that runs (hop.py, exec.py), an image as a container (imageroot.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    compile,
    hostnames,
    imageroot,
    lending,
    observe,
    owning,
    processes,
    rootview,
    usermaps,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import (
    cgroupfs,
    consts,
    fds,
    libc,
    mounts,
    namespaces,
    process,
    rootpath,
    seccomp as filters,
)
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, lent, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.container import HOST, ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    child,
    command,
    defaults,
    rootfs,
    spec as runtime,
    sync,
    users,
)

_NOT_RUN = 127
_FILE = os.O_NONBLOCK | os.O_NOCTTY


def run(request: lending.Request, stdin: bytes) -> int:
    """Its exit code; what it writes goes to our own standard streams."""
    with _held(request) as (host, found):
        if found.record is None:
            raise NotFound("container", found.name, "it does not exist")
        if found.is_running:
            raise Conflict("maintain container", found.name, "it has just been started", hint="run the task again")
        if usermaps.on_disk(host, found.record.spec) is not None:
            usermaps.take(host, found.record.spec)
            owning.prepare(host, found.record)
        with rootview.opened(host, found) as root:
            args, tools = lending.prepared(root.fd, request, host.layout)
        plan = _plan(host, found.record, request, args, tools)
        return _run(plan, _input(stdin))


@contextlib.contextmanager
def _held(request: lending.Request) -> t.Iterator[t.Tuple[Host, ContainerState]]:
    """The container under its lock, so that nobody starts it meanwhile; or the image as one."""
    host = open_host(request["home"], dry_run=False)
    if request.get("image"):
        with imageroot.opened(host, request["image"]) as found:
            yield found
    else:
        with host.locked("container", request["container"]):
            yield host, observe.container(host, request["container"])


def _plan(host: Host, record: ContainerRecord, request: lending.Request, args: t.Sequence[str], tools: str) -> child.Plan:
    """As the container itself would run, but for the host's network, and with what the task says."""
    spec = dataclasses.replace(record.spec, network_mode=HOST, networks=None)
    hostnames.write(host, spec)
    owning.give_files(host, spec)
    wish = compile.runtime_wish(host, dataclasses.replace(record, spec=spec))
    env = {**wish.env, **request["env"]}
    extra: t.Tuple[runtime.MountWish, ...] = ()
    if tools:
        env["PATH"] = "%s:%s" % (env.get("PATH") or defaults.PATH, lent.PATH)
        extra = (runtime.MountWish(runtime.BIND, lent.POINT, tools, read_only=True, recursive=False),)
    wish = dataclasses.replace(
        wish, args=tuple(args), init=False, shared={}, env=env, cwd=request["cwd"] or wish.cwd, user=request["user"] or wish.user,
        mounts=(*wish.mounts, *extra),
    )
    bundle = oci.parse(runtime.compile_config(wish))
    kinds = {namespace.kind for namespace in bundle.namespaces}
    syscalls = None
    if bundle.seccomp is not None:
        cache = os.path.join(host.layout.engine, "seccomp")
        os.makedirs(cache, mode=0o700, exist_ok=True)
        syscalls = filters.prepare(filters.cached(bundle.seccomp, cache), flags=filters.flags(bundle.seccomp))
    return child.Plan(
        bundle=bundle, folder=host.layout.container(spec.name), mounts=rootfs.prepare(bundle),
        view=cgroup_mount.View(cgroupfs.layout(), {}, "cgroup" in kinds), new_spaces=child.new_spaces(bundle), syscalls=syscalls,
    )


def _input(content: bytes) -> int:
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _run(plan: child.Plan, stdin: int) -> int:
    """The first process of a pid namespace of its own, whose end ends all that it has started."""
    heard, report = os.pipe()
    process.set_dumpable(dumpable=False)
    user, spaces = child.open_user(plan.bundle)
    namespaces.unshare(namespaces.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        command.forget_host()
        fds.close_range_cloexec(3)
        child.run(plan, child.Links(joins=(), spaces=spaces, user=user, stdio=(stdin, 1, 2), report=report))
    os.close(report)
    failure = sync.receive(heard, timeout=60.0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if failure is not None:
        os.write(2, b"cocker: %s\n" % os.fsencode(failure.reason))
        return _NOT_RUN
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def rooted(request: lending.Request, *, writable: bool) -> t.Iterator[t.Tuple[int, users.User]]:
    """The root and the user of the connection. What does not run is locked."""
    if request.get("image") and writable:
        raise Conflict("write to image", request["image"], "containers are made of it", hint="make a container of it, and change that")
    host = open_host(request["home"], dry_run=False)
    with contextlib.ExitStack() as stack:
        found = observe.container(host, request["container"]) if not request.get("image") else None
        if found is None or not found.is_running:
            host, found = stack.enter_context(_held(request))
        view = stack.enter_context(rootview.opened(host, found, writable=writable))
        root = view.fd
        record = t.cast(ContainerRecord, found.record)
        own = processes.process(record.spec, record.config).user or "0"
        user = users.find(root, oci.Process((), (), "/"), user=request["user"] or own)
        yield root, user if view.maps is None else _outside(user, view.maps)


def _outside(user: users.User, maps: idmap.Maps) -> users.User:
    """As the host knows it. Raises Invalid."""
    uid, gid = idmap.outside(maps.uids, user.uid), idmap.outside(maps.gids, user.gid)
    if uid is None or gid is None:
        raise Invalid("user", "%d:%d is not among the ids of the container's user namespace" % (user.uid, user.gid))
    return user._replace(uid=uid, gid=gid)


def open_file(root: int, path: str, flags: int) -> int:
    """A regular file, whatever else the container has there. Raises NotFound, Conflict."""
    try:
        held = rootpath.open_in(root, path, os.O_PATH)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise NotFound("file", path, "it does not exist in the container") from None
        return _created(root, path, flags)
    except OSError as error:
        raise Conflict("open", path, os.strerror(error.errno or errno.EIO)) from error
    try:
        if not stat.S_ISREG(os.fstat(held).st_mode) or libc.filesystem_type(held) == consts.PROC_SUPER_MAGIC:
            raise Conflict("open", path, "it is no regular file")
        return os.open(mounts.path_of(held), flags & ~os.O_CREAT | _FILE | os.O_CLOEXEC)
    finally:
        os.close(held)


def _created(root: int, path: str, flags: int) -> int:
    try:
        with rootpath.parent_of(root, path, follow=True) as (folder, name):
            return os.open(name, flags | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        raise Conflict("create", path, os.strerror(error.errno or errno.EIO)) from error

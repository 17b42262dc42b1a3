# SPDX-License-Identifier: BSD-2-Clause
"""`create`: from a bundle to a process that waits in its namespaces, and a record of it. What fails halfway is undone.

Not here: the process's own way (child.py), letting it go (verbs.py).
"""
from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds, fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.oci import (
    build,
    child,
    config,
    hooks,
    place,
    records,
    spaces,
    talk as words,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime import cgroup_mount, state, sync, sysctls
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

if t.TYPE_CHECKING:
    import _socket

    from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope

_PIECE = 1 << 16
_WISHES = words.DEVICES, words.HOOKS, words.LISTENER
_FAILED = "unable to start container process"


class Request(t.NamedTuple):
    """`bundle` and `pid_file` are absolute; `console` is the socket for the terminal, connected, or None.

    `keep` counts the descriptors after the standard ones that the process gets; `listeners` of them are LISTEN_FDS. `at_once`: nobody
    else starts it, so it does not wait.
    """

    id: str
    root: str
    bundle: str
    pid_file: str = ""
    console: t.Optional[_socket.socket] = None
    keep: int = 0
    listeners: int = 0
    new_keyring: bool = True
    systemd: bool = False
    notify: bool = False
    at_once: bool = False


def create(request: Request, wanted: config.Config, text: t.Dict[str, t.Any], warn: t.Callable[[str], None]) -> records.Record:
    """`text` is the config.json as it was read. Raises CockerError; then nothing is left."""
    fds.close_range_cloexec(3)
    layout = cgroupfs.layout()
    sysctls.check(wanted.bundle.sysctl, private={space.kind for space in wanted.bundle.namespaces})
    cgroup, unit = _place(request, wanted, layout)
    record = records.Record(
        id=request.id, init=process.Identity(0, 0), boot_id=process.boot_id(), bundle=request.bundle, rootfs=wanted.bundle.root,
        created=state.now(), owner=os.geteuid(), cgroups=cgroup.paths(), config=text,
    )
    folder = _claim(request)
    try:
        plan = _plan(request, wanted, record, layout)
    except BaseException:
        records.remove(request.root, request.id)
        raise
    pids: t.List[int] = []
    try:
        records.write(request.root, record)     # so that whoever finds what a killed creation left can remove all of it
        with _scope(unit, layout):
            _make_cgroup(cgroup, wanted)
            record = _launch(plan._replace(seat=spaces.open_seat(record.cgroups)), request, record, folder, pids)
        records.write(request.root, record)
        if request.pid_file:
            fs.write_atomic(request.pid_file, b"%d" % record.init.pid, mode=0o644, durable=False)
    except BaseException:
        _undo(request, cgroup, pids)
        hooks.warn(wanted.hooks, "poststop", records.describe(record, records.STOPPED), warn)
        raise
    return record


def _place(request: Request, wanted: config.Config, layout: cgroupfs.Layout) -> t.Tuple[Cgroup, t.Optional[scope.Unit]]:
    if request.systemd:
        return place.find_unit(wanted.cgroups_path, request.id, layout)
    return place.find(wanted.cgroups_path, request.id, layout), None


def _plan(request: Request, wanted: config.Config, record: records.Record, layout: cgroupfs.Layout) -> child.Plan:
    """All that can be found wrong without a process is found here. The seat is that of a cgroup that is not made yet."""
    private = {space.kind for space in wanted.bundle.namespaces if not space.path}
    return child.Plan(
        config=wanted, syscalls=_filter(wanted), entered=spaces.find(wanted),
        tree=build.hold(wanted, cgroup_mount.View(layout, record.cgroups, "cgroup" in private)), seat=spaces.Seat((), -1),
        state=records.describe(record, records.CREATING), keep=request.keep, listeners=request.listeners,
        new_keyring=request.new_keyring,
    )


def _filter(wanted: config.Config) -> t.Optional[seccomp.Prepared]:
    if wanted.bundle.seccomp is None:
        return None
    from ansible_collections.cocker.engine.plugins.module_utils.oci import filters
    return filters.prepare(wanted.bundle.seccomp)


@contextlib.contextmanager
def _scope(unit: t.Optional[scope.Unit], layout: cgroupfs.Layout) -> t.Iterator[None]:
    """Held open until the container is in it, or never will be."""
    if unit is None:
        yield
        return
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope
    anchor = scope.begin_unit(unit, layout)
    try:
        yield
    finally:
        scope.end(anchor)


def _claim(request: Request) -> str:
    """The directory of the container, which nobody else has."""
    folder = records.folder(request.root, request.id)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError as error:
        raise CockerError("container with given ID already exists") from error
    except FileNotFoundError:
        os.makedirs(request.root, mode=0o700, exist_ok=True)
        return _claim(request)
    if request.notify:
        from ansible_collections.cocker.engine.plugins.module_utils.oci import notify
        os.mkdir(notify.folder_of(folder), 0o755)
    return folder


def _make_cgroup(cgroup: Cgroup, wanted: config.Config) -> None:
    cgroup.create()
    if wanted.bundle.resources:
        cgroup.apply(wanted.bundle.resources)


def _launch(plan: child.Plan, request: Request, record: records.Record, folder: str, pids: t.List[int]) -> records.Record:
    """`pids` has from the fork on what is to be killed if this fails."""
    ours, theirs = fds.packet_pair()
    gate, answer = (-1, -1) if request.at_once else (_make_pipe(folder, name) for name in (records.GATE, records.ANSWER))
    links = child.Links(theirs, gate, answer, request.console.fileno() if request.console else -1)
    try:
        pids.append(child.fork(plan, links))
        for fd in (theirs, *([] if request.at_once else (gate, answer)), *plan.held()):
            os.close(fd)
        if not plan.entered.has_user:
            record = record._replace(init=process.of_child(pids[0]))
        return _converse(ours, plan, record, pids, at_once=request.at_once)
    finally:
        os.close(ours)


def _make_pipe(folder: str, name: str) -> int:
    """Open both ways, so that the process waits for a byte and not for somebody to open the other end."""
    path = os.path.join(folder, name)
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _converse(
    talk: int, plan: child.Plan, record: records.Record, pids: t.List[int], *, at_once: bool,
) -> records.Record:
    """Until the process waits to be started, or has become its program, which is the end of what is said.

    In a user namespace it may be heard before the process between has told its number.
    """
    early: t.List[bytes] = []
    numbered = not plan.entered.has_user
    while True:
        said = early.pop(0) if early and numbered else os.read(talk, _PIECE)
        kind = said[:1]
        if not numbered and kind in (*_WISHES, words.READY):
            early.append(said)
        elif kind == words.MAPS:
            spaces.write_ranges(pids[0], plan.config.uids, plan.config.gids)
            os.write(talk, words.GO)
        elif kind == words.PID:
            stage = pids[0]
            pids[0] = int(said[1:])
            os.waitpid(stage, 0)
            record, numbered = record._replace(init=process.of_child(pids[0])), True
        elif kind in _WISHES:
            os.write(talk, words.GO + _fulfilled(said, plan, record, pids[0]))
        elif kind == words.READY or not kind and at_once and record.init.pid:
            return record
        elif kind == words.FAILED:
            raise CockerError(_FAILED, "", sync.parse(said[1:]).reason)
        else:
            raise CockerError(_FAILED, "", "it died before it could say why")


def _fulfilled(said: bytes, plan: child.Plan, record: records.Record, pid: int) -> bytes:
    """What the process is told besides that it may go on."""
    told = records.describe(record, records.CREATING)
    if said[:1] == words.DEVICES:
        from ansible_collections.cocker.engine.plugins.module_utils.oci import devices_moved  # few ask for it
        devices_moved.move(plan.config.net_devices, pid)
    elif said[:1] == words.LISTENER:
        from ansible_collections.cocker.engine.plugins.module_utils.oci import filters
        filters.tell_agent(plan.config.bundle.seccomp or {}, told, pid, int(said[1:]))
    else:
        for stage in ("prestart", "createRuntime"):
            hooks.run(plan.config.hooks, stage, told)
        return json.dumps({"pid": pid}).encode()
    return b""


def _undo(request: Request, cgroup: Cgroup, pids: t.Sequence[int]) -> None:
    """Goes on after a failure: the first error is the one that is told. What cannot be removed stays on record, for `delete --force`."""
    for pid in pids:
        with tolerate(errno.ESRCH, errno.ECHILD):
            os.kill(pid, signal.SIGKILL)        # our child, not waited for: the number is still its
            os.waitpid(pid, 0)
    try:
        cgroup.kill()
        cgroup.remove()
    except (CockerError, OSError):
        return
    records.remove(request.root, request.id)


def read(bundle: str, folder: str) -> t.Tuple[t.Dict[str, t.Any], config.Config]:
    """The config.json of the bundle. `folder` is that of a container whose process can say that it is ready, else empty."""
    text = config.load(bundle)
    if folder and isinstance(text.get("process"), dict):
        from ansible_collections.cocker.engine.plugins.module_utils.oci import notify
        text = notify.added(text, folder)
    return text, config.parse(text, bundle)


def connect(path: t.Optional[str], wanted: config.Config, *, detached: bool) -> t.Optional[_socket.socket]:
    if not path and not wanted.process.terminal:
        return None
    from ansible_collections.cocker.engine.plugins.module_utils.oci import console  # for the first process, too
    console.check(path, terminal=wanted.process.terminal, detached=detached)
    return console.connect(path) if path else None

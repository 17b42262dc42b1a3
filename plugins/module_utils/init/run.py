# SPDX-License-Identifier: BSD-2-Clause
"""One run of a container: its PID 1, forked into cgroups and namespaces, and our ends of its streams.

Not here: the child's own way (runtime/child.py, reaper.py) and what is done about its end (supervisor.py).
"""
from __future__ import annotations

import _socket
import errno
import os
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import reaper
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, relay
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import UNIFIED, Cgroup

START_TIMEOUT = 50.0        # below that of the module process, which should hear the reason


class Order(t.NamedTuple):
    """One container to start, read and checked, its cgroup made. `reap` runs when it has ended by itself.

    `anchor` holds the scope open until the supervisor is in it, where systemd runs the host.
    """

    name: str
    folder: str
    state_dir: str
    reap: t.Sequence[str]
    bundle: oci.Bundle
    cgroup: Cgroup
    plan: child.Plan
    init: t.Optional[reaper.Confinement]
    anchor: t.Optional[scope.Anchor] = None


class Run(t.NamedTuple):
    """PID 1, and where it is read (`err` is -1 for a terminal); `failure` is what it had to say instead of becoming the command.

    `held` keeps its standard input open.
    """

    pid: int
    out: int
    err: int
    failure: bytes = b""
    held: t.Tuple[int, ...] = ()

    def entrance(self) -> int:
        """Where is typed: its terminal, or the pipe of its standard input; -1 for neither."""
        return self.out if self.err < 0 else self.held[0] if self.held else -1

    def streams(self) -> t.List[int]:
        return [fd for fd in (self.out, self.err) if fd >= 0]


class _Ends(t.NamedTuple):
    """Of its standard streams; -1 where there is none."""

    theirs: t.Tuple[int, int, int]
    console: int
    ours: t.Tuple[int, int, int]
    channel: int

    def given(self) -> t.List[int]:
        return [fd for fd in (*self.theirs, self.console) if fd > 0]

    def kept(self) -> t.List[int]:
        return [fd for fd in (*self.ours, self.channel) if fd >= 0]


def open_links(order: Order) -> child.Links:
    unified = order.cgroup.open_unified()
    user, networks = child.open_user(order.bundle)
    return child.Links(
        joins=_open_joins(order.cgroup), spaces=[*child.open_spaces(order.bundle), *networks],
        unified=-1 if unified is None else unified, user=user, pids=child.open_pids(order.bundle))


def _open_joins(cgroup: Cgroup) -> t.List[int]:
    """A process of one thread that writes 0 into `tasks` is spared the lock that moving another process takes (v1)."""
    paths = sorted({path for controller, path in cgroup.paths().items() if controller != UNIFIED})
    return [os.open(path + "/tasks", os.O_WRONLY | os.O_CLOEXEC) for path in paths]


def begin(order: Order, links: child.Links, *, home: int, foreign: t.Sequence[int]) -> Run:
    """Returns when the command is exec'd, or has failed and is buried. `home` and the links are closed; `foreign` is not for the child."""
    heard, told = os.pipe()
    ends = _ends(order.bundle)
    links = links._replace(stdio=ends.theirs, console=ends.console, report=told)
    pid = _fork(order, links, home=home, foreign=(heard, *ends.kept(), *foreign))
    for fd in (told, home, *ends.given(), *links.held()):
        os.close(fd)
    failure = _listen(heard, START_TIMEOUT)
    os.close(heard)
    if failure:
        os.kill(pid, signal.SIGKILL)        # our child, not waited for: the number is still its
        os.waitpid(pid, 0)
        for fd in ends.kept():
            os.close(fd)
        return Run(pid, -1, -1, failure)
    if ends.channel >= 0:
        master, slave = relay.received_terminal(ends.channel)
        return Run(pid, master, -1, held=(slave,))      # else a terminal that the container has closed for a moment would be gone
    writer, out, err = ends.ours
    return Run(pid, out, err, held=(writer,) if writer >= 0 else ())


def _ends(bundle: oci.Bundle) -> _Ends:
    if bundle.process.terminal:
        channel, console = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        return _Ends((0, 0, 0), console.detach(), (-1, -1, -1), channel.detach())
    read, writer = os.pipe() if bundle.settings.stdin_open else (0, -1)
    out, err = os.pipe(), os.pipe()
    return _Ends((read, out[1], err[1]), -1, (writer, out[0], err[0]), -1)


def _fork(order: Order, links: child.Links, *, home: int, foreign: t.Sequence[int]) -> int:
    """The child is the first process of a new pid namespace, or one more of another container's or of ours; we stay in ours."""
    if links.pids >= 0:
        call(libc.setns, links.pids, consts.CLONE_NEWPID, op="join pid namespace")
    elif order.bundle.namespace("pid") is not None:
        call(libc.unshare, consts.CLONE_NEWPID, op="unshare pid namespace")
    pid = fork_member(links.unified)
    if pid == 0:
        signal.set_wakeup_fd(-1)
        for fd in foreign:
            os.close(fd)
        if order.init is not None:
            reaper.run(order.plan, order.init, links)
        child.run(order.plan, links)
    call(libc.setns, home, consts.CLONE_NEWPID, op="return to pid namespace")
    return pid


def fork_member(unified: int) -> int:
    """fork(2), into the v2 cgroup: moving there later waits 5 to 10 ms for a lock. Before Linux 5.7 that is how it is."""
    if unified < 0:
        return os.fork()
    try:
        return cgroupfs.fork_into(unified)
    except Unsupported:
        pid = os.fork()
    if pid == 0:
        fd = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=unified)
        os.write(fd, b"0")
        os.close(fd)
    return pid


def _listen(fd: int, timeout: float) -> bytes:
    """Empty when the pipe is closed without a word: exec'd. The whole message comes in one piece."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if not poller.poll(timeout * 1000):
        return b'["start","start: nothing was heard of the process for %d s",%d]' % (timeout, errno.ETIMEDOUT)
    return os.read(fd, select.PIPE_BUF)


def start_time(pid: int) -> int:
    """Also of a zombie: the container may have ended already, and its supervisor has not buried it yet."""
    with open("/proc/%d/stat" % pid, "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[22 - 3])

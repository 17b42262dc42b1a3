# SPDX-License-Identifier: BSD-2-Clause
"""The process that prepares a run: reads config.json, makes the cgroup, forks PID 1 as its own sibling, says what came of it, and ends.

A fork of the supervisor. Whatever it writes to the shared memory goes with it, so that the supervisor, which stays, keeps its own small.
Not here: PID 1's own way (runtime/child.py, reaper.py) and the asking side (run.py).
"""
from __future__ import annotations

import _socket
import errno
import os
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import guard, orders, reaper
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, fds, process
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, control, relay, sync
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import group

# What it says begins with one of these. Nothing is left after a refusal, after a failure there may be; the last one wants our own PID 1.
REFUSED, FAILED, BEGUN, BEAR = b"-", sync.MESSAGE, sync.PID, b"?"
UNIFIED = reaper.UNIFIED
DIED = FAILED + b'["start","start: the process that prepares it died",0]'
START_TIMEOUT = 50.0        # below that of the module process, which should hear the reason
Answer = t.Tuple[bytes, t.Sequence[int]]


class Ends(t.NamedTuple):
    """`channel` takes the answer; nobody reads `alive` any more when the supervisor, whose pid is `parent`, is gone.

    `report` stays open as long as this process lives, which tells the launcher so; -1 for none.
    """

    channel: _socket.socket
    alive: int
    parent: int
    report: int = -1

    def reports(self) -> t.List[int]:
        return [self.report] if self.report >= 0 else []


class _Streams(t.NamedTuple):
    """Of its standard streams; -1 where there is none."""

    theirs: t.Tuple[int, int, int]
    console: int
    ours: t.Tuple[int, int, int]
    channel: int

    def given(self) -> t.List[int]:
        return [fd for fd in (*self.theirs, self.console) if fd > 0]

    def kept(self) -> t.List[int]:
        return [fd for fd in (*self.ours, self.channel) if fd >= 0]


def main(source: orders.Source, ends: Ends, *, first: bool, published: str = "") -> t.NoReturn:
    """Forked. Nothing may return into the code of the supervisor, of which this is a copy.

    Of a first run the answer has config.json and a control socket, too; the supervisor is found under what is `published`, if not empty.
    """
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() != ends.parent:
            os._exit(1)
        ticket = orders.ticket_of(source)
        said, given = _first(ticket, ends, published) if first else _again(ticket, ends)
        if given:
            fds.send_fds(ends.channel, said, given)
        else:
            ends.channel.send(said)
    except BaseException as error:
        ends.channel.send(_said(FAILED, "start", error))
        os._exit(1)
    os._exit(0)


def _said(kind: bytes, step: str, error: BaseException) -> bytes:
    return kind + sync.message(sync.describe(step, error))


def _first(ticket: orders.Ticket, ends: Ends, published: str) -> Answer:
    try:
        orders.refuse_running(ticket)
        ticket = orders.opened(ticket)
        order = orders.read(ticket)
        os.makedirs(ticket.state_dir, mode=0o700, exist_ok=True)
        order.cgroup.create()
    except (CockerError, OSError, ValueError) as error:
        return _said(REFUSED, "config", error), ()
    try:
        listener = control.listen(ticket.state_dir).detach()
        if published:
            control.publish(ticket.state_dir, published)
    except (CockerError, OSError) as error:
        return _failed(order.cgroup, _said(FAILED, "config", error))
    said, given = _begin(order, ends)
    return said, (ticket.config, listener, *given) if said[:1] == BEGUN else ()


def _again(ticket: orders.Ticket, ends: Ends) -> Answer:
    """As the first time, from the config.json of then; limits and settings are those of config.json now."""
    try:
        order = orders.refreshed(orders.read(ticket))
        order.cgroup.create()
    except (CockerError, OSError, ValueError) as error:
        return _said(REFUSED, "config", error), ()
    return _begin(order, ends)


def _failed(cgroup: group.Cgroup, said: bytes) -> Answer:
    with tolerate(errno.ENOENT, errno.ENODEV):
        cgroup.kill()
    cgroup.remove()
    return said, ()


def _open_links(order: orders.Order) -> child.Links:
    unified = order.cgroup.open_unified()
    user, networks = child.open_user(order.bundle)
    return child.Links(
        joins=_open_joins(order.cgroup), spaces=[*child.open_spaces(order.bundle), *networks],
        unified=-1 if unified is None else unified, user=user, pids=child.open_pids(order.bundle))


def _open_joins(cgroup: group.Cgroup) -> t.List[int]:
    """A process of one thread that writes 0 into `tasks` is spared the lock that moving another process takes (v1)."""
    paths = sorted({path for controller, path in cgroup.paths().items() if controller != group.UNIFIED})
    return [os.open(path + "/tasks", os.O_WRONLY | os.O_CLOEXEC) for path in paths]


def _begin(order: orders.Order, ends: Ends) -> Answer:
    """Returns when the command is exec'd, or has failed: then nothing of it is left but a zombie, which is the supervisor's."""
    try:
        if order.bundle.resources:
            order.cgroup.apply(order.bundle.resources)
        links = _open_links(order)
    except (CockerError, OSError) as error:
        return _failed(order.cgroup, _said(FAILED, "config", error))
    heard, told = os.pipe()
    streams = _streams(order.bundle)
    links = links._replace(stdio=streams.theirs, console=streams.console, report=told, alive=ends.alive)
    if order.bundle.settings.init:      # it stays: not as a copy of this process, which has read so much, but of the supervisor
        words, given = reaper.program(order.plan, links)
        fds.send_fds(ends.channel, BEAR + words, given)
        os.close(given[1])
        pid = 0
    else:
        pid = _fork(order, links, foreign=(heard, ends.channel.fileno(), *ends.reports(), *streams.kept()))
    for fd in (told, ends.alive, *streams.given(), *links.held()):
        os.close(fd)
    failure = _listen(heard, START_TIMEOUT)
    if failure:
        if pid:
            os.kill(pid, signal.SIGKILL)        # nobody waits for it as long as we have said nothing: the number is still its
        return _failed(order.cgroup, FAILED + failure)
    pids = order.bundle.namespace("pid")
    is_alone = pids is not None and not pids.path
    if not is_alone:
        guard.begin(order.cgroup, supervisor=ends.parent, command=pid)
    awake = order.bundle.settings.health is not None or not is_alone
    said = BEGUN + b"%d %d %d" % (pid, order.bundle.process.terminal, awake)
    if streams.channel >= 0:        # the slave is kept: else a terminal that the container has closed for a moment would be gone
        return said, relay.received_terminal(streams.channel)
    writer, out, err = streams.ours
    return said, (out, err) if writer < 0 else (out, err, writer)


def _streams(bundle: oci.Bundle) -> _Streams:
    if bundle.process.terminal:
        channel, console = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        return _Streams((0, 0, 0), console.detach(), (-1, -1, -1), channel.detach())
    read, writer = os.pipe() if bundle.settings.stdin_open else (0, -1)
    out, err = os.pipe(), os.pipe()
    return _Streams((read, out[1], err[1]), -1, (writer, out[0], err[0]), -1)


def _fork(order: orders.Order, links: child.Links, *, foreign: t.Sequence[int]) -> int:
    """The command itself, the supervisor's child: the first process of a new pid namespace, or one more of another container's or ours."""
    if links.pids >= 0:
        call(libc.setns, links.pids, consts.CLONE_NEWPID, op="join pid namespace")
    elif order.bundle.namespace("pid") is not None:
        call(libc.unshare, consts.CLONE_NEWPID, op="unshare pid namespace")
    pid = cgroupfs.fork_member(links.unified, cgroupfs.CLONE_PARENT)
    if pid == 0:
        for fd in foreign:
            os.close(fd)
        child.run(order.plan, links)
    return pid


def _listen(fd: int, timeout: float) -> bytes:
    """Empty when the pipe is closed without a word: exec'd. The whole message comes in one piece."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if not poller.poll(timeout * 1000):
        return b'["start","start: nothing was heard of the process for %d s",%d]' % (timeout, errno.ETIMEDOUT)
    return os.read(fd, select.PIPE_BUF)

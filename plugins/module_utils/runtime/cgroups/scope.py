# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on a host that systemd runs with cgroup v2: cocker.slice/cocker-NAME.scope, with the container and, outside of its
limits, its supervisor below.

Not here: asking systemd (kernel/systemd.py), and the limits (group.py).
"""
from __future__ import annotations

import errno
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, poll, systemd
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate

SLICE = "cocker.slice"
CONTAINER, SUPERVISOR = "container", "supervisor"
SERVICE = "cocker.service"  # of the role `host`: stops the containers before their scopes are ended
_TIMEOUT = 20.0  # seconds for systemd to make the scope, or to be done with a former one
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")


class Anchor(t.NamedTuple):
    """A process of ours that holds an empty scope open until the supervisor is in it; `seat` is the supervisor's directory."""

    pid: int
    seat: str


class Unit(t.NamedTuple):
    """A scope to be made: `before` is the unit that is stopped first when the host shuts down."""

    slice: str
    name: str
    description: str
    before: str


def is_used(layout: cgroupfs.Layout) -> bool:
    """Not where v1 controllers are mounted: there a scope is only a name, and limits are elsewhere."""
    return layout.mode == "v2" and systemd.is_booted()


def unit(name: str) -> str:
    """systemd.unit(5) has letters, digits and `:-_.`; the rest is written as systemd-escape(1) does."""
    return "cocker-%s.scope" % "".join(letter if letter in _PLAIN else _escaped(letter) for letter in name)


def _escaped(letter: str) -> str:
    return "".join("\\x%02x" % byte for byte in letter.encode("utf-8", "surrogateescape"))


def parts(name: str) -> t.List[str]:
    """Of the path of the container's cgroup, below the root of the hierarchy."""
    return [SLICE, unit(name), CONTAINER]


def slice_parts(name: str) -> t.List[str]:
    """Of the path of a slice: a-b.slice lies in a.slice (systemd.slice(5))."""
    words = name[:-len(".slice")].split("-")
    return [] if name == "-.slice" else ["-".join(words[:count]) + ".slice" for count in range(1, len(words) + 1)]


def begin(name: str, layout: cgroupfs.Layout) -> Anchor:
    """That of one of our own containers, with room for its supervisor."""
    return begin_unit(Unit(SLICE, unit(name), "Container %s" % name, SERVICE), layout)


def begin_unit(wanted: Unit, layout: cgroupfs.Layout) -> Anchor:
    """The scope is there when this returns. Raises CockerError; then nothing is left of it."""
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        _wait_for_the_end(parent)
    scope = os.path.join(layout.unified, *slice_parts(wanted.slice), wanted.name)
    try:
        _ask(wanted, pid)
        _settle(scope, pid)
    except BaseException:
        end(Anchor(pid, ""))
        raise
    return Anchor(pid, os.path.join(scope, SUPERVISOR))


def end(anchor: Anchor) -> None:
    """A scope without processes is removed by systemd, with all that is below it."""
    with tolerate(errno.ESRCH, errno.ECHILD):
        os.kill(anchor.pid, signal.SIGKILL)  # our child, not waited for: the number is still its
        os.waitpid(anchor.pid, 0)


def _wait_for_the_end(parent: int) -> t.NoReturn:
    """Ends with the launcher, if that does not end it before."""
    call(libc.prctl, consts.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0, op="end with parent")
    while os.getppid() == parent:
        signal.pause()
    os._exit(0)


def _ask(wanted: Unit, pid: int) -> None:
    """One of a container that has just ended may still be on its way out."""
    last: t.List[CockerError] = []

    def started() -> bool:
        try:
            systemd.start_scope(wanted.name, pid=pid, group=wanted.slice, description=wanted.description, before=wanted.before)
        except systemd.Exists as error:
            last[:] = [error]
            return False
        return True

    if not poll.until(started, timeout=_TIMEOUT, interval=0.05):
        raise last[0]


def _settle(scope: str, pid: int) -> None:
    """A cgroup whose children have limits has no processes of its own: the anchor moves into the supervisor's."""
    if not poll.until(lambda: pid in cgroupfs.pids(scope), timeout=_TIMEOUT, interval=0.005):
        raise CockerError("start scope", scope, "systemd did not make it within %d s" % _TIMEOUT)
    seat = os.path.join(scope, SUPERVISOR)
    os.mkdir(seat, 0o755)
    cgroupfs.write(seat, "cgroup.procs", str(pid))

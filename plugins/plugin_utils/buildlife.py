# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose a build is: the run of Ansible that makes it, so that another one on the same controller sees whether it has been killed.

Of a run on another controller, or in another container of this one, nothing is known, and nothing is said.
"""
from __future__ import annotations

import multiprocessing
import os
import typing as t

_ENDED = ("Z", "X")     # proc(5)


def own() -> str:
    """The mark of this run, which is the parent of the process that a task runs in. Empty where there is no /proc."""
    parent = multiprocessing.parent_process()
    return _mark(parent.pid or 0 if parent else os.getpid())


def has_died(mark: str) -> bool:
    """Only where that is certain."""
    here = _place()
    place, _slash, process = mark.rpartition("/")
    return bool(here) and place == here and process.partition("-")[0].isdigit() and mark != _mark(int(process.partition("-")[0]))


def _mark(pid: int) -> str:
    """`PLACE/PID-START`, or the place alone for a process that has ended."""
    started = _started(pid)
    return "%s/%d-%s" % (_place(), pid, started) if _place() and started else _place()


def _place() -> str:
    """A boot of a machine, and the pid namespace there."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return "%s/%d" % (stream.read().strip(), os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""


def _started(pid: int) -> t.Optional[str]:
    """In the kernel's ticks since the boot."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stream:
            words = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in _ENDED else words[22 - 3]

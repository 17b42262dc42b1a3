# SPDX-License-Identifier: BSD-2-Clause
"""PID 1 of a container with `init`, as its own process runs it: confined, and asleep until there is a signal. See resident.py for how.

Not here: what it is told, its child that becomes the command, and what it does about a signal (reaper.py).
"""
from __future__ import annotations

import os
import typing as t
from ctypes import byref
from marshal import loads
from os import WNOHANG, _exit, close, closerange, pipe, read, setgroups, setsid, waitpid, waitstatus_to_exitcode, write
from signal import SIGCHLD

from ansible_collections.cocker.engine.plugins.module_utils.init import orders, reaper
from ansible_collections.cocker.engine.plugins.module_utils.init.calls import (
    Filter,
    block,
    capset,
    checked,
    fork,
    load_filter,
    load_filter_with,
    prctl,
    prctl_name,
    setns,
    unshare,
    wait_signal,
)
from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, process, userns
from ansible_collections.cocker.engine.plugins.module_utils.runtime import sync

_PRCTL, _CAPSET, _FILTER_WITH = reaper.PRCTL, reaper.CAPSET, reaper.FILTER_WITH
_SET_NAME, _CHILD_ENDED, _MANY = consts.PR_SET_NAME, int(SIGCHLD), 4096
_PROGRAM = 1 << 22      # bytes of what PID 1 is told, at most


def become(source: orders.Source, got: t.List[int]) -> t.NoReturn:
    """As reaper.py has put it into numbers. What builds the file system and becomes the command is a child (reaper.become_main).

    It gives up its privileges by itself, but only after PID 1 has given up its own.
    """
    try:
        shape, blocked, joins, spaces, new_spaces, oom_score_adj, user, code, steps, signals, has_command = loads(read(got[1], _PROGRAM))
        block(0, blocked, None)
        prctl_name(_SET_NAME, b"cocker-init")
        setsid()
        for place in joins:
            write(got[place], b"0")     # itself: a process of one thread that moves itself takes no lock
        if oom_score_adj is not None:
            process.set_oom_score(oom_score_adj)
        for place, flag in spaces:
            checked(setns(got[place], flag), "join namespace")
        checked(unshare(new_spaces), "unshare")
        built, building = pipe()
        gate, opener = pipe()
        main = fork()
        if main == 0:
            close(opener)
            reaper.become_main(source, reaper.links(shape, got), building=building, gate=gate)
        close(building)
        if not read(built, 1):          # it has said why
            _exit(1)
        if user >= 0:
            userns.join(got[user])
        _confine(steps, code)
        write(got[2], b"1")             # of no use to anybody; but it fails where the supervisor is gone
    except BaseException as error:      # nothing may return into the code of the supervisor, of which this is a copy
        sync.send(got[0], sync.describe("start", error))
        os._exit(1)
    closerange(3, _MANY)                # the report pipe too: from here on the supervisor waits for the command
    _watch(main if has_command else 0, signals)


def _confine(steps: t.Sequence[t.Tuple[int, t.Tuple[t.Any, ...]]], code: bytes) -> None:
    """As credentials.assume does it for a command; a filter needs CAP_SYS_ADMIN or no_new_privs."""
    setgroups(())
    for kind, words in steps:
        if kind == _PRCTL:
            result = prctl(*words)
        elif kind == _CAPSET:
            result = capset(*words)
        else:
            program = byref(Filter(len(code) // 8, code))
            result = load_filter_with(*words, program) if kind == _FILTER_WITH else load_filter(*words, program)
        if result == -1:
            checked(result, reaper.DOING[kind])


def _watch(main: int, signals: bytes) -> t.NoReturn:
    while True:
        found = wait_signal(signals, None)
        if found == _CHILD_ENDED:
            status = bury(main)
            if status is not None:
                _exit(status)
        elif found > 0:
            reaper.heed(main, found)


def bury(main: int) -> t.Optional[int]:
    """Every zombie; the exit status if the command is among them."""
    ended = None
    while True:
        try:
            pid, status = waitpid(-1, WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if pid == main:
            code = waitstatus_to_exitcode(status)
            ended = code if code >= 0 else 128 - code

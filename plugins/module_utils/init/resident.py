# SPDX-License-Identifier: BSD-2-Clause
"""All that a process which stays runs until something happens to it: a supervisor while its container is idle, and the launcher before it.

What a process writes to after its fork is memory that it no longer shares, and Python writes to each object that it looks at. So the few
things that are looked at are here and in the two files that this one imports with it (calls.py, pid1.py). They are loaded last (launch.py),
which puts them on the same few pages. Whatever happens for the first time ends this, but for what another process is forked for: that is
decided there. Not here: what a run needs (prepare.py), and what a supervisor does that is awake (supervisor.py).
"""
from __future__ import annotations

import _socket
import errno
import functools
import os
import typing as t
from marshal import dumps, loads
from os import (
    O_CLOEXEC,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    P_ALL,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    _exit,
    close,
    closerange,
    dup2,
    getpid,
    kill,
    open as open_,
    pipe,
    pipe2,
    read,
    set_inheritable,
    setsid,
    waitid,
    waitpid,
    write,
)
from select import POLLHUP, POLLIN, poll
from signal import SIGCHLD, SIGKILL, set_wakeup_fd
from time import monotonic

from ansible_collections.cocker.engine.plugins.module_utils.init import control, orders, pid1, prepare
from ansible_collections.cocker.engine.plugins.module_utils.init.calls import (
    accept,
    asked,
    checked,
    fork,
    fork_into,
    fork_sibling,
    number_of,
    pair,
    prctl,
    prctl_name,
    receive,
    setns,
    shut,
    unshare,
)
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, fds
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import sync
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope

_NEW_PIDS, _SET_NAME, _ENDED, _MANY = consts.CLONE_NEWPID, consts.PR_SET_NAME, bytes((SIGCHLD,)), 4096
_BEGUN, _BEAR, _UNIFIED = prepare.BEGUN, prepare.BEAR, prepare.UNIFIED
_ANSWERS, _REQUESTS, _REPORT, _ACKNOWLEDGED = orders.ANSWERS, orders.REQUESTS, orders.REPORT, orders.ACKNOWLEDGED
_AWAY, _PIECE = 100, 1 << 16
_Poll, _strip = type(poll()), bytes.strip
_register, _events = _Poll.register, _Poll.poll
_is_seated = scope.is_used(cgroupfs.remembered())


class Awake(t.NamedTuple):
    """What is done elsewhere: a launcher's work before and after the forks, a supervisor's that is awake, and what else is forked for."""

    seated: t.Callable[[bytes, int], t.Iterable[t.Tuple[int, t.Any]]]
    fork_seated: t.Callable[[t.Any], int]
    collect: t.Callable[[t.Sequence[Forked], bytes], None]
    go_on: t.Callable[[orders.Source, Idle, t.Callable[[int], bool]], None]
    enter_container: t.Callable[[bytes], None]


Forked = t.Tuple[int, int, int, int]    # number in the message, where it reports, where it hears that this is on record, pid
_awake: t.List[Awake] = []


# A supervisor


class Idle(t.NamedTuple):
    """What `supervise` leaves to whoever goes on: a container that runs, and the signals that have come since it was `begun`.

    `peers` are connections on which nothing was read.
    """

    said: bytes
    got: t.List[int]
    init: int
    wakeup: int
    writer: int
    heard: bytes
    begun: float
    peers: t.List[int]


def supervise(source: orders.Source, key: str, generation: int) -> t.Optional[Idle]:
    """Says PID 1's pid or why there is none, waits until that is on record, and then until there is something to do for the first time.

    Whoever hears nothing, or a failure, removes what there is; from the acknowledgement on it is ours. None where nothing runs.
    """
    setsid()
    dup2(0, 2)
    wakeup, writer = pipe2(O_NONBLOCK | O_CLOEXEC)
    set_wakeup_fd(writer, warn_on_full_buffer=False)
    published = key if generation < orders.GENERATIONS else ""
    said, got, init = begin(source, (wakeup, writer, _ACKNOWLEDGED), True, published, _REPORT)
    if said[:1] != _BEGUN:
        write(_REPORT, said)
        return None
    write(_REPORT, b"=%d" % init)
    close(_REPORT)
    if not read(_ACKNOWLEDGED, 1):       # whoever asked is gone, and nobody will know of this container
        kill(init, SIGKILL)
        waitpid(init, 0)
        orders.undo(orders.ticket_of(source))
        return None
    close(_ACKNOWLEDGED)
    begun, peers = monotonic(), []      # type: float, t.List[int]
    streams = 1 if said[-3:-2] == b"1" else 2       # a terminal, or two pipes; the control socket is before them
    heard = b"" if said[-1:] == b"1" else _sleep(init, (wakeup, *got[1:2 + streams]), peers, key, generation)
    return Idle(said, got, init, wakeup, writer, heard, begun, peers)


def _sleep(init: int, watched: t.Sequence[int], peers: t.List[int], key: str, generation: int) -> bytes:
    """Until there is something to do for the first time: what the signals were, if it is that.

    That a helper has ended is nothing, nor is it if somebody asks for a process that is forked for them. A container that is idle from its
    start on costs no more memory than this. The first that is watched is the pipe of the signals, the second the control socket.
    """
    poller, wakeup, listener = poll(), watched[0], watched[1]
    for fd in watched:
        _register(poller, fd, POLLIN)
    while True:
        for fd, events in _events(poller):
            if fd == wakeup:
                heard = read(wakeup, 4096)
                if _strip(heard, _ENDED) or _waits(init):
                    return heard
            elif fd == listener:
                peer = accept(listener, None, None, _socket.SOCK_CLOEXEC)
                if peer >= 0 and len(peers) >= control.MOST_PEERS:
                    close(peer)
                elif peer >= 0:
                    peers.append(peer)
                    _register(poller, peer, POLLIN)
            elif not events & POLLIN:   # the end of a stream to which nothing was written
                poller.unregister(fd)
            elif fd not in peers:
                return b""
            elif not events & POLLHUP and not is_for_another(fd, key, generation):
                return b""
            else:
                poller.unregister(fd)
                peers.remove(fd)
                close(fd)


def _waits(init: int) -> bool:
    """Whether PID 1 has ended, which is for others to hear; the others are buried."""
    while True:
        found = waitid(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT)
        if found is None or found.si_pid == init:
            return found is not None
        waitpid(found.si_pid, 0)


def begin(source: orders.Source, foreign: t.Sequence[int], first: bool, published: str, report: int) -> t.Tuple[bytes, t.List[int], int]:
    """One run: returns when the command is exec'd, or has failed. What was said last, the descriptors that came with it, PID 1.

    `foreign` is not for the child; `published` and `report` are as in prepare.py.
    """
    ours, theirs = pair()
    watched, alive = pipe()
    parent, channel = getpid(), number_of(ours)
    if fork() == 0:
        set_wakeup_fd(-1)
        for fd in (*foreign, channel, watched):
            close(fd)
        prepare.main(source, prepare.Ends(theirs, alive, parent, report), first=first, published=published)
    shut(theirs)
    close(alive)
    said, got = receive(ours)
    init = 0
    if said[:1] == _BEAR:
        init = _bear(source, said, got, (*foreign, channel, watched, report))
        said, got = receive(ours)
    shut(ours)
    close(watched)
    if said[:1] == _BEGUN:
        return said, got, init or int(said[1:].split()[0])
    if init:
        kill(init, SIGKILL)         # our child, not waited for: the number is still its
        waitpid(init, 0)
    return said or prepare.DIED, got, 0


def _bear(source: orders.Source, said: bytes, got: t.List[int], foreign: t.Sequence[int]) -> int:
    """PID 1, where it is ours: the first process of a new pid namespace; we stay in ours. 0 where it cannot be, which is told, then."""
    home = open_("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC)
    pid = 0
    try:
        checked(unshare(_NEW_PIDS), "unshare pid namespace")
        try:
            pid = fork_into(got[-1]) if said[1:] == _UNIFIED else fork()
            if pid == 0:
                set_wakeup_fd(-1)
                for fd in (*foreign, home):
                    if fd >= 0:
                        close(fd)
                pid1.become(source, got)
        finally:
            checked(setns(home, _NEW_PIDS), "return to pid namespace")
    except (CockerError, OSError) as error:
        sync.send(got[0], sync.describe("start", error))
    for fd in (*got, home):
        close(fd)
    return pid


# What another process is forked for


def is_for_another(peer: int, key: str, generation: int) -> bool:
    """Whether what is asked for is another process's work, which is one that is forked here. Otherwise the message is still to be read."""
    told, teller = pipe()
    if fork_sibling() == 0:
        _become_another(peer, teller, key, generation)
    close(teller)
    said = read(told, 1)
    close(told)
    return said != control.NOT_MINE


def _become_another(peer: int, teller: int, key: str, generation: int) -> t.NoReturn:
    """Forked. It has nothing of the supervisor's in the end, and answers before it runs."""
    try:
        set_wakeup_fd(-1)
        setsid()
        said, got = asked(control.decide, peer, teller, key)
        if said:
            verb, given, joins = said.split()
            _move(got[int(given):], int(joins), peer)
            _answer(peer)
            count = int(given)
            for number, fd in enumerate(got[:count]):
                dup2(fd, _AWAY + number)
            for number in range(count):
                dup2(_AWAY + number, number)
            closerange(count, _MANY)
            if verb == control.LAUNCH:
                launch(key, generation + 1)
            else:
                _awake[0].enter_container(verb)
    except BaseException as error:
        write(2, b"%s: %s\n" % (type(error).__name__.encode(), str(error).encode("utf-8", "replace")))
        os._exit(1)
    _exit(0)


def _move(given: t.Sequence[int], joins: int, peer: int) -> None:
    """Into the cgroups of whoever asks: as control.decide has found them. This process may come back as another one."""
    for fd in given[:joins]:
        write(fd, b"0")
    for fd in given[joins:]:
        if cgroupfs.fork_as(cgroupfs.CLONE_PARENT | cgroupfs.CLONE_INTO_CGROUP, fd):
            _exit(0)
    if given and not asked(control.look, peer)[0]:
        _exit(0)


def _answer(peer: int) -> None:
    file = open_("/proc/self/stat", O_RDONLY | O_CLOEXEC)
    start = read(file, 4096).rpartition(b")")[2].split()[22 - 3]
    close(file)
    write(peer, b'{"pid": %d, "start_time": %s}' % (getpid(), start))


# The launcher


def launch(key: str, generation: int) -> None:
    """Until its requests end. A supervisor knows how many launchers there were between an exec and this one."""
    set_inheritable(_ANSWERS, False)
    dup2(0, _REQUESTS, inheritable=False)
    null = open_("/dev/null", O_RDWR | O_CLOEXEC)
    dup2(null, 0)
    dup2(null, 1)
    close(null)
    rest = b""
    while True:
        piece = read(_REQUESTS, _PIECE)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            *names, message = line.split(b"\0")
            _awake[0].collect(_start_all(names, message, key, generation), message)


def _start_all(names: t.List[bytes], message: bytes, key: str, generation: int) -> t.List[Forked]:
    """The names come before the message. One fork after the other, with next to nothing before and in between: it would be their memory."""
    forked = []
    places: t.Any = _awake[0].seated(message, len(names)) if _is_seated else enumerate([None] * len(names))
    for number, anchor in places:
        heard, report = pipe()
        acknowledged, acknowledge = pipe()
        prctl_name(_SET_NAME, b"cocker:" + names[number])      # that of the supervisor
        pid = fork() if anchor is None else _awake[0].fork_seated(anchor)
        if pid == 0:
            beyond = max(report, acknowledge) + 2       # numbers are given out from below, and one may be the scope's
            dup2(report, _REPORT, inheritable=False)
            dup2(acknowledged, _ACKNOWLEDGED, inheritable=False)
            closerange(_ACKNOWLEDGED + 1, beyond)
            _become_supervisor((message, number), key, generation)
        close(report)
        close(acknowledged)
        forked.append((number, heard, acknowledge, pid))
    return forked


def _become_supervisor(source: orders.Source, key: str, generation: int) -> t.NoReturn:
    """What fails after the report is in the container's exit record, or nowhere: there is nobody left to tell."""
    try:
        idle = supervise(source, key, generation)
        if idle is not None:
            _awake[0].go_on(source, idle, functools.partial(is_for_another, key=key, generation=generation))
    except BaseException as error:      # a copy of the launcher must not go on as a second one
        with tolerate(errno.EBADF):     # reported long ago
            sync.send(_REPORT, sync.describe("start", error), prefix=sync.MESSAGE)
        os._exit(1)
    _exit(0)


def rehearse(awake: Awake) -> None:
    """What can be run without an effect is, once, so that the interpreter and the C library find out here where things are."""
    _awake[:] = [awake]
    ours, theirs = pair()
    wakeup, writer = pipe2(O_NONBLOCK | O_CLOEXEC)
    set_wakeup_fd(writer, warn_on_full_buffer=False)
    set_wakeup_fd(-1)
    fds.send_fds(theirs, b"=1 0 0", (wakeup,))
    said, got = receive(ours)
    write(writer, b"%d" % (monotonic() + getpid() + number_of(ours)))
    _sleep(int(said[1:].split()[0]), (*got, ours.fileno()), [], "", 0)
    checked(prctl(consts.PR_GET_DUMPABLE, 0, 0, 0, 0), "rehearse")
    loads(dumps((1, b"", ((2,),))))
    pid = fork()
    if pid == 0:
        _exit(0)
    waitid(P_ALL, 0, WEXITED | WNOWAIT)
    _waits(pid)
    waitpid(pid, 0)
    shut(ours)
    shut(theirs)
    for fd in (wakeup, writer, *got):
        close(fd)

# SPDX-License-Identifier: BSD-2-Clause
"""All that a process which stays runs until something happens to it: a supervisor while its container is idle, and a container's own PID 1.

What a process writes to after its fork is memory that it no longer shares, and Python writes to each object that it looks at. So the few
things that are looked at are here, calling the system itself, and are loaded last (launch.py), which puts them on the same few pages.
Whatever happens for the first time ends this. Not here: what a run needs (prepare.py, reaper.py), and what is done then (supervisor.py).
"""
from __future__ import annotations

import _socket
import ctypes
import os
import struct
import typing as t
from marshal import dumps, loads
from os import (
    O_CLOEXEC,
    O_NONBLOCK,
    O_RDONLY,
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
    setgroups,
    setsid,
    waitid,
    waitpid,
    waitstatus_to_exitcode,
    write,
)
from select import POLLIN, poll
from signal import SIGCHLD, SIGKILL, set_wakeup_fd
from sys import byteorder
from time import monotonic

from ansible_collections.cocker.engine.plugins.module_utils.init import orders, prepare, reaper
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, fds, process, userns
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, KernelError
from ansible_collections.cocker.engine.plugins.module_utils.runtime import sync

_SEQPACKET, _UNIX = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC, _socket.AF_UNIX
_LARGEST, _ROOM = 4200, _socket.CMSG_SPACE(64 * 4)      # of a message, and of the descriptors that come with it
_CLOEXEC, _NEW_PIDS = consts.MSG_CMSG_CLOEXEC, consts.CLONE_NEWPID
_BEGUN, _BEAR, _UNIFIED = prepare.BEGUN, prepare.BEAR, prepare.UNIFIED
_CHILD_ENDED, _MANY = int(SIGCHLD), 4096
_ENDED = bytes((_CHILD_ENDED,))
_CLONE3 = NR["clone3"]
_ARGUMENTS = struct.pack("=10Q", cgroupfs.CLONE_INTO_CGROUP, 0, 0, 0, _CHILD_ENDED, 0, 0, 0, 0, 0)     # clone_args, up to the cgroup
_PROGRAM = 1 << 22      # bytes of what PID 1 is told, at most


class _Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _function(name: str, *arguments: t.Any) -> t.Any:
    found = getattr(ctypes.PyDLL(None, use_errno=True), name)
    found.argtypes = arguments
    return found


_INT, _WORD, _TEXT, _POINTER = ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_void_p
_errno = ctypes.get_errno
_Poll = type(poll())
# A method that is looked up by its name touches the name: each is on another page.
_recvmsg, _shut, _fileno = _socket.socket.recvmsg, _socket.socket.close, _socket.socket.fileno
_register, _events = _Poll.register, _Poll.poll
_strip, _cast, _to_bytes = bytes.strip, memoryview.cast, int.to_bytes
_prctl = _function("prctl", _INT, _WORD, _WORD, _WORD, _WORD)
_set_name = _function("prctl", _INT, _TEXT)
_capset = _function("capset", _TEXT, _TEXT)
_filter = _function("prctl", _INT, _WORD, _POINTER)
_filter_with = _function("syscall", ctypes.c_long, _WORD, _WORD, _POINTER)
_setns, _unshare = _function("setns", _INT, _INT), _function("unshare", _INT)
_block, _wait_signal = _function("sigprocmask", _INT, _TEXT, _POINTER), _function("sigwaitinfo", _TEXT, _POINTER)
fork, _clone = _function("fork"), _function("syscall", ctypes.c_long, _TEXT, ctypes.c_size_t)
_PRCTL, _CAPSET, _FILTER_WITH = reaper.PRCTL, reaper.CAPSET, reaper.FILTER_WITH
_SET_NAME = consts.PR_SET_NAME


def _checked(result: int, op: str) -> None:
    if result == -1:
        raise KernelError(op, "", _errno())


# A supervisor


class Idle(t.NamedTuple):
    """What `supervise` leaves to whoever goes on: a container that runs, and the signals that have come since it was `begun`."""

    said: bytes
    got: t.List[int]
    init: int
    wakeup: int
    writer: int
    heard: bytes
    begun: float


def supervise(source: orders.Source, *, published: str, report: int, acknowledged: int) -> t.Optional[Idle]:
    """Says PID 1's pid or why there is none, waits until that is on record, and then until there is something to do for the first time.

    Whoever hears nothing, or a failure, removes what there is; from the acknowledgement on it is ours. None where nothing runs.
    """
    setsid()
    dup2(0, 2)
    wakeup, writer = pipe2(O_NONBLOCK | O_CLOEXEC)
    set_wakeup_fd(writer, warn_on_full_buffer=False)
    said, got, init = begin(source, (wakeup, writer, acknowledged), True, published, report)
    if said[:1] != _BEGUN:
        write(report, said)
        return None
    write(report, b"=%d" % init)
    close(report)
    if not read(acknowledged, 1):       # whoever asked is gone, and nobody will know of this container
        kill(init, SIGKILL)
        waitpid(init, 0)
        orders.undo(orders.ticket_of(source))
        return None
    close(acknowledged)
    begun = monotonic()
    streams = 1 if said[-3:-2] == b"1" else 2       # a terminal, or two pipes; the control socket is before them
    heard = b"" if said[-1:] == b"1" else _sleep(init, (wakeup, *got[1:2 + streams]), wakeup)
    return Idle(said, got, init, wakeup, writer, heard, begun)


def _sleep(init: int, watched: t.Sequence[int], wakeup: int) -> bytes:
    """Until there is something to do for the first time: what the signals were, if it is that. That a helper has ended is nothing.

    A container that is idle from its start on costs no more memory than this.
    """
    poller = poll()
    for fd in watched:
        _register(poller, fd, POLLIN)
    while True:
        for fd, events in _events(poller):
            if fd == wakeup:
                heard = read(wakeup, 4096)
                if _strip(heard, _ENDED) or _waits(init):
                    return heard
            elif events & POLLIN:
                return b""
            else:                   # the end of a stream to which nothing was written
                poller.unregister(fd)


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
    ours, theirs = _socket.socketpair(_UNIX, _SEQPACKET)
    watched, alive = pipe()
    parent, asked = getpid(), _fileno(ours)
    if fork() == 0:
        set_wakeup_fd(-1)
        for fd in (*foreign, asked, watched):
            close(fd)
        prepare.main(source, prepare.Ends(theirs, alive, parent, report), first=first, published=published)
    _shut(theirs)
    close(alive)
    said, got = _receive(ours)
    init = 0
    if said[:1] == _BEAR:
        init = _bear(source, said, got, (*foreign, asked, watched, report))
        said, got = _receive(ours)
    _shut(ours)
    close(watched)
    if said[:1] == _BEGUN:
        return said, got, init or int(said[1:].split()[0])
    if init:
        kill(init, SIGKILL)         # our child, not waited for: the number is still its
        waitpid(init, 0)
    return said or prepare.DIED, got, 0


def _receive(channel: _socket.socket) -> t.Tuple[bytes, t.List[int]]:
    said, rights, _flags, _peer = _recvmsg(channel, _LARGEST, _ROOM, _CLOEXEC)
    return said, list(_cast(memoryview(rights[0][2]), "i")) if rights else []


def _bear(source: orders.Source, said: bytes, got: t.List[int], foreign: t.Sequence[int]) -> int:
    """PID 1, where it is ours: the first process of a new pid namespace; we stay in ours. 0 where it cannot be, which is told, then."""
    home = open_("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC)
    pid = 0
    try:
        _checked(_unshare(_NEW_PIDS), "unshare pid namespace")
        try:
            pid = _fork_into(got[-1]) if said[1:] == _UNIFIED else fork()
            if pid == 0:
                set_wakeup_fd(-1)
                for fd in (*foreign, home):
                    if fd >= 0:
                        close(fd)
                _become_init(source, got)
        finally:
            _checked(_setns(home, _NEW_PIDS), "return to pid namespace")
    except (CockerError, OSError) as error:
        sync.send(got[0], sync.describe("start", error))
    for fd in (*got, home):
        close(fd)
    return pid


def _fork_into(cgroup: int) -> int:
    """As cgroupfs.fork_member, which is asked where the kernel cannot do this."""
    pid = _clone(_CLONE3, _ARGUMENTS + _to_bytes(cgroup, 8, byteorder), cgroupfs.CLONE_ARGS_SIZE)
    return cgroupfs.fork_member(cgroup) if pid == -1 else pid


# PID 1 of a container with `init`


def _become_init(source: orders.Source, got: t.List[int]) -> t.NoReturn:
    """As reaper.py has put it into numbers. What builds the file system and becomes the command is a child (reaper.become_main).

    It gives up its privileges by itself, but only after PID 1 has given up its own.
    """
    try:
        shape, blocked, joins, spaces, new_spaces, oom_score_adj, user, code, steps, signals, has_command = loads(read(got[1], _PROGRAM))
        _block(0, blocked, None)
        _set_name(_SET_NAME, b"cocker-init")
        setsid()
        for place in joins:
            write(got[place], b"0")     # itself: a process of one thread that moves itself takes no lock
        if oom_score_adj is not None:
            process.set_oom_score(oom_score_adj)
        for place, flag in spaces:
            _checked(_setns(got[place], flag), "join namespace")
        _checked(_unshare(new_spaces), "unshare")
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
            result = _prctl(*words)
        elif kind == _CAPSET:
            result = _capset(*words)
        else:
            program = ctypes.byref(_Filter(len(code) // 8, code))
            result = _filter_with(*words, program) if kind == _FILTER_WITH else _filter(*words, program)
        if result == -1:
            raise KernelError(reaper.DOING[kind], "", _errno())


def _watch(main: int, signals: bytes) -> t.NoReturn:
    while True:
        found = _wait_signal(signals, None)
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


def rehearse() -> None:
    """What can be run without an effect is, once, so that the interpreter and the C library find out here where things are."""
    ours, theirs = _socket.socketpair(_UNIX, _SEQPACKET)
    wakeup, writer = pipe2(O_NONBLOCK | O_CLOEXEC)
    set_wakeup_fd(writer, warn_on_full_buffer=False)
    set_wakeup_fd(-1)
    fds.send_fds(theirs, b"=1 0 0", (wakeup,))
    said, got = _receive(ours)
    write(writer, b"%d" % (monotonic() + getpid() + _fileno(ours)))
    _sleep(int(said[1:].split()[0]), got, got[0])
    _checked(_prctl(consts.PR_GET_DUMPABLE, 0, 0, 0, 0), "rehearse")
    loads(dumps((1, b"", ((2,),))))
    pid = fork()
    if pid == 0:
        _exit(0)
    while not _waits(pid):
        pass
    bury(pid)
    _shut(ours)
    _shut(theirs)
    for fd in (wakeup, writer, *got):
        close(fd)

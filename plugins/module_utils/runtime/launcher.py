# SPDX-License-Identifier: BSD-2-Clause
"""Starts containers and enters them, seen from the module process: one lean launcher a task.

A supervisor of the same engine forks it where one runs; otherwise it is exec'd from a protected interpreter.
Not here: the launcher itself (init/launch.py, runtime/enter.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import itertools
import json
import os
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, mounts, process
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    NotFound,
    StartFailed,
    Unsupported,
    tolerate,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime import control
from ansible_collections.cocker.engine.plugins.module_utils.runtime.exchange import Exchange, likeness

START_TIMEOUT = 60.0
HEAD_FORMAT, HEAD_SIZE = b"%10d", 10
_TAIL = 2000            # how much of a crash is shown
_FORK_TIMEOUT = 2.0     # for a supervisor to fork a launcher, before one is exec'd
_MOST_ASKED = 3         # supervisors, for a launcher
_GRACE = 10.0           # for the launcher to end an exec that ran out of time, before it is killed itself
_ENTRY = (
    "import sys; sys.path.insert(0, %r);"
    " from ansible_collections.cocker.engine.plugins.module_utils.init import main; main.main(sys.argv[1:])"
)


@dataclasses.dataclass(frozen=True)
class StartRequest:
    """`bundle` holds config.json; `reap` is run by the supervisor when the container has ended by itself."""

    name: str
    bundle: str
    state_dir: str
    reap: t.Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class StartResult:
    """`error` is empty after execve of the container's process; otherwise one sentence, and nothing is left."""

    name: str
    pid: int = 0
    start_time: int = 0
    error: str = ""
    step: str = ""


@dataclasses.dataclass(frozen=True)
class ExecRequest:
    """`env` is added to the container's; `cwd` and `user` are the container's own where empty; `cwd_option` is what says `cwd`.

    `detach` is an empty directory for its log and records: it is started, and not waited for. `tools` is a directory of the host that
    the command, and nobody else in the container, sees (storage/toolset.py).
    """

    bundle: str
    state_dir: str
    args: t.Sequence[str]
    env: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    cwd: str = ""
    cwd_option: str = "working_dir"
    user: str = ""
    stdin: bytes = b""
    tty: bool = False
    detach: str = ""
    tools: str = ""


@dataclasses.dataclass(frozen=True)
class ExecResult:
    """`rc` is 128 + signal for a killed command, 126 or 127 with `error` where it could not be run."""

    rc: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    error: str = ""


class Launched(t.NamedTuple):
    """The process (`forked`: no child of ours) and our ends of its four pipes."""

    pid: int
    forked: t.Optional[process.Identity]
    requests: int
    output: int
    errors: int
    replies: int


def start(
    requests: t.Sequence[StartRequest], *, engine: str, python: str, timeout: float = START_TIMEOUT, seccomp_cache: str = ""
) -> t.List[StartResult]:
    """In the order of the requests; what went wrong with one of them is in its result."""
    with Launcher(engine=engine, python=python) as ready:
        return ready.start(requests, timeout=timeout, seccomp_cache=seccomp_cache)


class Launcher:
    """One for a task: it loads while the task still prepares, starts as often as it is asked, and ends with the task.

    `beside` holds the run directories of containers, whose supervisors can fork it.
    """

    def __init__(self, *, engine: str, python: str, beside: str = "") -> None:
        self.engine = engine
        found = control.publishers(beside, key_of(engine, python)) if beside else ()
        self._launched = _forked(found, key_of(engine, python), "launch") or _spawn(engine, python, "launch")
        self._exchange: t.Optional[Exchange] = exchanging(self._launched)

    def share(self) -> None:
        """A process that is forked from now on uses it in our place: it is nobody's child but ours."""
        self._launched = self._launched._replace(forked=self._launched.forked or process.find(self._launched.pid))

    def let_go(self) -> None:
        """It ends when nobody asks it any more."""
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    @property
    def ended(self) -> bool:
        return self._exchange is None

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end(kill=True)

    def _end(self, *, kill: bool) -> int:
        if self._exchange is None:
            return 0
        self._exchange.close()
        self._exchange = None
        return end(self._launched, kill=kill)

    def start(
        self, requests: t.Sequence[StartRequest], *, timeout: float = START_TIMEOUT, seccomp_cache: str = "",
        meanwhile: t.Callable[[], object] = lambda: None,
    ) -> t.List[StartResult]:
        """As the function of this name. What fails `meanwhile` is raised when all are answered: some may run then."""
        exchange = self._exchange
        if exchange is None:
            return [StartResult(request.name, error="the launcher has ended", step="launcher") for request in requests]
        message = {
            "seccomp_cache": seccomp_cache or _cache(self.engine),
            "containers": [dict(dataclasses.asdict(request), reap=list(request.reap)) for request in requests],
        }
        heads = [os.fsencode(request.name) + b"\0" for request in requests]         # so that the launcher can fork before it reads the rest
        exchange.send(b"".join(heads) + json.dumps(message).encode() + b"\n")
        deadline = time.monotonic() + timeout
        exchange.step(deadline)         # what fits into the pipe is on its way
        try:
            meanwhile()
        finally:
            results = self._answers(exchange, requests, deadline, timeout)
        return results

    def _answers(
        self, exchange: Exchange, requests: t.Sequence[StartRequest], deadline: float, timeout: float
    ) -> t.List[StartResult]:
        missing = {request.name for request in requests}
        found: t.Dict[str, StartResult] = {}
        is_heard = True
        while missing and is_heard:
            for line in exchange.take_lines():
                result = StartResult(**json.loads(line))
                found[result.name] = result
                missing.discard(result.name)
            is_heard = not missing or exchange.step(deadline)
        reason = self._breakdown(exchange, timeout, late=time.monotonic() >= deadline) if missing else ""
        return [found.get(request.name) or StartResult(request.name, error=reason, step="launcher") for request in requests]

    def _breakdown(self, exchange: Exchange, timeout: float, *, late: bool) -> str:
        return breakdown(self._end(kill=True), exchange.errors, late="no answer within %g s" % timeout if late else "")


def begin_exec(
    request: ExecRequest, *, engine: str, python: str, timeout: t.Optional[float] = None, live: t.Sequence[int] = ()
) -> t.Tuple[Launched, bytes]:
    """The launcher, and what it is to be sent first. `live`: rows and columns of whoever sits at the command (dialogue.py)."""
    message = {
        "bundle": request.bundle, "state_dir": request.state_dir, "args": list(request.args), "env": dict(request.env),
        "cwd": request.cwd, "cwd_option": request.cwd_option, "user": request.user, "tty": request.tty, "detach": request.detach,
        "tools": request.tools, "timeout": timeout, "seccomp_cache": _cache(engine), "live": list(live),
    }
    head = json.dumps(message).encode()
    launched = _forked((request.state_dir,), key_of(engine, python), "exec") or _spawn(engine, python, "exec")
    return launched, HEAD_FORMAT % len(head) + head


def run_exec(request: ExecRequest, *, engine: str, python: str, timeout: t.Optional[float] = None) -> ExecResult:
    """Raises NotFound or Conflict when the container does not run, Invalid for a bad user or directory."""
    launched, head = begin_exec(request, engine=engine, python=python, timeout=timeout)
    # The launcher reads exactly the head; the rest of the pipe is the command's standard input.
    exchange = exchanging(launched)
    exchange.send(head + request.stdin, last=True)
    limit = START_TIMEOUT if request.detach else timeout
    deadline = None if limit is None else time.monotonic() + limit + _GRACE
    lines: t.List[bytes] = []
    try:
        while not lines and exchange.step(deadline):
            lines = exchange.take_lines()
        exchange.drain()
    finally:
        exchange.close()
        code = end(launched, kill=not lines) if not (request.detach and lines) else 0
    if not lines:
        raise StartFailed("exec", request.args[0], breakdown(code, exchange.errors, late=""))
    return _result(json.loads(lines[0]), exchange)


def _result(answer: t.Dict[str, t.Any], exchange: Exchange) -> ExecResult:
    control.raised(answer)
    return ExecResult(
        rc=answer["rc"], stdout=exchange.output, stderr=exchange.errors, timed_out=answer["timed_out"], error=answer["reason"])


def _cache(engine: str) -> str:
    return os.path.join(os.path.dirname(os.path.normpath(engine)), "seccomp")


def _spawn(engine: str, python: str, verb: str) -> Launched:
    """`python -I -S` from a copy that nobody can write, without environment; argv[0] tells it where its library is."""
    path = os.path.realpath(python)
    argv = [path, "-I", "-S", "-X", "utf8", "-c", _ENTRY % engine, verb, key_of(engine, python)]
    with contextlib.ExitStack() as stack:
        program = _moved(fds.protected_program(path), stack)
        theirs, ours = _pipes(stack)
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(theirs)]
        pid = os.posix_spawn(mounts.path_of(program), argv, {}, file_actions=actions)
    return Launched(pid, None, *ours)


def _forked(state_dirs: t.Iterable[str], key: str, verb: str) -> t.Optional[Launched]:
    """By one of these supervisors; None where none of them is up to it. The pipes are such a process's own, whatever became of it."""
    for state_dir in itertools.islice(state_dirs, _MOST_ASKED):
        with contextlib.ExitStack() as stack:
            theirs, ours = _pipes(stack)
            try:
                answer, _fds = control.ask(state_dir, {"verb": verb, "key": key}, give=theirs, timeout=_FORK_TIMEOUT)
                found = process.Identity(answer["pid"], answer["start_time"])
                return Launched(found.pid, found, *ours)
            except (NotFound, Unsupported):
                for fd in ours:
                    os.close(fd)
    return None


def key_of(engine: str, python: str) -> str:
    """Of processes that run the same code in the same interpreter."""
    return names.short_hash(likeness(engine, os.path.realpath(python)))


def _pipes(stack: contextlib.ExitStack) -> t.Tuple[t.List[int], t.List[int]]:
    """Theirs, to become 0 to 3, which go with `stack`; and ours."""
    theirs, ours = [], []
    for number in range(4):
        ends = os.pipe()
        theirs.append(_moved(ends[0] if number == 0 else ends[1], stack))
        ours.append(ends[1] if number == 0 else ends[0])
    return theirs, ours


def _moved(fd: int, stack: contextlib.ExitStack) -> int:
    """The same file on a number that is not one of the launcher's 0 to 3."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    stack.callback(os.close, moved)
    return moved


def exchanging(launched: Launched) -> Exchange:
    return Exchange(launched.requests, launched.output, launched.errors, launched.replies)


def end(launched: Launched, *, kill: bool) -> int:
    """Its exit code, where it is our child; it ends by itself once everything is answered."""
    if launched.forked is not None:
        if kill or not process.wait_gone(launched.forked, _GRACE):
            process.signal(launched.forked, signal.SIGKILL)
            process.wait_gone(launched.forked, _GRACE)
        return 0
    if kill:
        with tolerate(errno.ESRCH):
            os.kill(launched.pid, signal.SIGKILL)       # our own child, not waited for yet: the number is still its
    return os.waitstatus_to_exitcode(os.waitpid(launched.pid, 0)[1])


def breakdown(code: int, errors: bytes, *, late: str) -> str:
    tail = errors[-_TAIL:].decode("utf-8", "replace").strip()
    how = late or ("killed by signal %d" % -code if code < 0 else "exit code %d" % code)
    return "the launcher broke down (%s)%s" % (how, ": " + tail if tail else "")

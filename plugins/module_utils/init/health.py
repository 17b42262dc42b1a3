# SPDX-License-Identifier: BSD-2-Clause
"""A container's health check: when it is run, in a process that lives as long as the check does, and what follows. docker's rules.

Costs nothing where there is no check, and between two checks a number in the supervisor. Not here: what a check is (model/healthcheck.py).
"""
from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init.orders import Order
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.runtime import enter, relay, state, streams

KEPT = 5                # results
LONGEST_OUTPUT = 4096   # bytes of each
_PIECE = 1 << 16
_NOT_RUN = -1           # the exit code of a check that was not run to its end


class Verdict(t.NamedTuple):
    status: str = healthcheck.STARTING
    streak: int = 0
    log: t.Tuple[state.Probe, ...] = ()


def judged(before: Verdict, probe: state.Probe, check: healthcheck.Check, *, at: float) -> Verdict:
    """Pure. The check was begun `at` seconds after the container was: in the start period a failure does not count."""
    log = (*before.log, probe)[-KEPT:]
    if probe.exit_code == 0:
        return Verdict(healthcheck.HEALTHY, 0, log)
    if is_starting(before, check, at):
        return before._replace(log=log)
    streak = before.streak + 1
    return Verdict(healthcheck.UNHEALTHY if streak >= check.retries else before.status, streak, log)


def pause(verdict: Verdict, check: healthcheck.Check, at: float) -> float:
    """Pure: seconds to the next check."""
    return (check.start_interval if is_starting(verdict, check, at) else check.interval) / healthcheck.SECOND


def is_starting(verdict: Verdict, check: healthcheck.Check, at: float) -> bool:
    return verdict.status == healthcheck.STARTING and at < check.start_period / healthcheck.SECOND


class Monitor:
    """The check of the run that is going on. It waits for nothing: `due` says when `turn` has something to do."""

    def __init__(self, poller: select.poll) -> None:
        self._poller = poller
        self._check: t.Optional[healthcheck.Check] = None
        self._verdict = Verdict()
        self._begun = 0.0           # the run, by the monotonic clock
        self._prober: t.Optional[process.Identity] = None
        self._reader, self._said, self._asked = -1, b"", 0.0
        self.due: t.Optional[float] = None

    def begin(self, at: float) -> None:
        """With a run; `change` says what its check is, if it has one."""
        self._begun, self._check = at, None

    def change(self, order: Order) -> None:
        """Another check begins as at a start; the same one goes on."""
        if order.bundle.settings.health == self._check:
            return
        self.end(order)
        self._check = order.bundle.settings.health
        self._schedule()

    def end(self, order: Order) -> None:
        """No further result, and nothing left of those that were."""
        if self._check is None:
            return
        if self._prober is not None:
            process.signal(self._prober, signal.SIGKILL)
        if self._reader >= 0:
            self._hang_up()
        self._check, self._verdict, self.due = None, Verdict(), None
        state.remove_health(order.state_dir)

    def turn(self, order: Order) -> None:
        if self._check is None or self.due is None or time.monotonic() < self.due:
            return
        self.due, self._asked = None, time.monotonic()
        try:
            self._ask(order, self._check)
        except OSError as error:
            self._judge(order, _failed("the check could not be run: %s" % error.strerror))

    def owns(self, fd: int) -> bool:
        return fd == self._reader

    def hear(self, order: Order) -> None:
        piece = os.read(self._reader, _PIECE)
        self._said += piece
        if piece:
            return
        said = self._said
        self._hang_up()
        try:
            value = json.loads(said)
            self._judge(order, None if value is None else state.Probe(*value))
        except (ValueError, TypeError):
            self._judge(order, _failed("the check died"))

    def _hang_up(self) -> None:
        self._poller.unregister(self._reader)
        os.close(self._reader)
        self._reader, self._said, self._prober = -1, b"", None

    def _schedule(self) -> None:
        if self._check is not None:
            now = time.monotonic()
            self.due = now + pause(self._verdict, self._check, now - self._begun)

    def _judge(self, order: Order, probe: t.Optional[state.Probe]) -> None:
        """None: nobody was asked, since the container stands still. A full disk does not stop it."""
        check = self._check
        if check is None:
            return
        if probe is not None:
            self._verdict = judged(self._verdict, probe, check, at=self._asked - self._begun)
            with contextlib.suppress(CockerError, OSError):
                state.write_health(order.state_dir, state.Health(healthcheck.to_json(check), *self._verdict))
        self._schedule()

    def _ask(self, order: Order, check: healthcheck.Check) -> None:
        reader, told = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(reader)
            os.close(told)
            raise
        if pid == 0:
            _probe(order, check, told)
        os.close(told)
        self._prober, self._reader = process.find(pid), reader      # our child, not waited for: the number is still its
        self._poller.register(reader, select.POLLIN)


def _probe(order: Order, check: healthcheck.Check, told: int) -> t.NoReturn:
    """Forked. Nothing may return into the code of the supervisor, of which this is a copy."""
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        streams.close_all(keep=(0, 1, 2, told))
        content = json.dumps(_result(order, check)).encode()
        while content:
            content = content[os.write(told, content):]
    except BaseException:
        os._exit(1)
    os._exit(0)


def _result(order: Order, check: healthcheck.Check) -> t.Optional[state.Probe]:
    began = state.now()
    between = relay.Captured(LONGEST_OUTPUT)
    try:
        found = state.find(order.state_dir)
        if found is None:
            return None
        target = enter.opened(found, order.bundle, order.cgroup)
        seconds = check.timeout / healthcheck.SECOND
        outcome = enter.run_inside(target, check.argv(), syscalls=order.plan.syscalls, between=between, timeout=seconds)
    except Conflict:        # paused, or just ended
        return None
    except (CockerError, OSError) as error:
        return _failed(error.reason if isinstance(error, StartFailed) else str(error), began)
    output = between.output.decode("utf-8", "replace")
    if outcome.timed_out:
        return _failed("the check took longer than %g s%s" % (seconds, ": " + output if output else ""), began)
    return state.Probe(began, state.now(), outcome.rc, outcome.reason or output)


def _failed(reason: str, began: str = "") -> state.Probe:
    now = state.now()
    return state.Probe(began or now, now, _NOT_RUN, reason)

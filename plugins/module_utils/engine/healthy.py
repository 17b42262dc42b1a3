# SPDX-License-Identifier: BSD-2-Clause
"""Waiting until a container is healthy, and what is said where it does not get so. Changes nothing.

Not here: the check itself (init/health.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import logs, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState, health_check
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import HEALTHY, UNHEALTHY

_ROUND = 0.05       # seconds between two looks
_LINES, _LETTERS = 3, 300


def require_check(record: t.Optional[ContainerRecord]) -> None:
    """Raises Invalid where nobody will ever know."""
    if record is not None and health_check(record) is None:
        raise Invalid("state", "%s cannot become healthy, since nothing checks it" % record.spec.name, hint="healthcheck says how")


def wait(host: Host, name: str, timeout: float) -> None:
    """`timeout` in seconds. Raises StartFailed when it is not healthy by then, as soon as it is unhealthy, and when it has ended."""
    found = observe.container(host, name)

    def is_settled() -> bool:
        nonlocal found
        found = observe.container(host, name)
        return not found.is_running or found.health is None or found.health.status in (HEALTHY, UNHEALTHY)

    poll.until(is_settled, timeout=timeout, interval=_ROUND)
    require_healthy(host, found, waited=timeout)


def require_healthy(host: Host, found: ContainerState, *, waited: t.Optional[float] = None) -> None:
    """Raises StartFailed where it is certain that it is not, or where it was `waited` for, in seconds."""
    reason = ""
    if found.is_running and found.health is not None:
        if found.health.status == UNHEALTHY:
            reason = "it is unhealthy"
        elif found.health.status != HEALTHY and waited is not None:
            reason = "it is not healthy after %g seconds" % waited
    elif waited is not None:
        reason = "it ended with exit code %d before it was healthy" % found.exit.exit_code if found.exit else "it does not run"
    if reason:
        raise StartFailed("wait for container", found.name, "; ".join([reason, *_clues(host, found)]))


def _clues(host: Host, found: ContainerState) -> t.Iterator[str]:
    """An undone start leaves no log to look at, so that its end is told here."""
    if found.health is not None and found.health.log:
        last = found.health.log[-1]
        how = "failed" if last.exit_code < 0 else "ended with exit code %d" % last.exit_code
        yield ": ".join(part for part in ("the last check " + how, _short(last.output)) if part)
    try:
        lines = logs.read(host, found.name, tail=_LINES)
    except (CockerError, OSError):
        return
    written = _short(b"".join(line.content for line in lines).decode("utf-8", "replace"))
    if written:
        yield "the container wrote last: %s" % written


def _short(text: str) -> str:
    plain = " | ".join(line.strip() for line in text.splitlines() if line.strip())
    return plain if len(plain) <= _LETTERS else "..." + plain[-_LETTERS:]

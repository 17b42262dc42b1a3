# SPDX-License-Identifier: BSD-2-Clause
"""PURE: whether a container that has ended runs again, and when. docker's rule.

Not here: how it is started again (supervisor.py) and how a policy is written (model/restarts.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.restarts import ALWAYS, ON_FAILURE, UNLESS_STOPPED, Policy

FIRST, LONGEST = 0.1, 60.0  # seconds to wait; each time twice as long
STEADY = 10.0               # a run that lasted so long was a good one: the next wait is the first again


class History(t.NamedTuple):
    """`restarts` is how often it was started again since somebody started it, `delay` the last wait."""

    restarts: int = 0
    delay: float = 0.0


def wanted(policy: Policy, history: History, exit_code: int) -> bool:
    if policy.name in (ALWAYS, UNLESS_STOPPED):
        return True
    return policy.name == ON_FAILURE and exit_code != 0 and (not policy.retries or history.restarts < policy.retries)


def following(policy: Policy, history: History, *, exit_code: int, lasted: float) -> t.Optional[History]:
    """With the next run counted and the wait before it; None where there is none."""
    if not wanted(policy, history, exit_code):
        return None
    anew = lasted >= STEADY or not history.delay
    return History(history.restarts + 1, FIRST if anew else min(2 * history.delay, LONGEST))

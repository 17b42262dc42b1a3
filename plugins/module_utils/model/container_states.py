# SPDX-License-Identifier: BSD-2-Clause
"""The states of a container, and the one table of what leads from each to each that can be wanted.

Not here: what a change of its options needs besides (engine/container_plan.py) and what each move does (engine/container_change.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.container import CREATED, DEAD, EXITED, PAUSED, RESTARTING, RUNNING
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, HEALTHY, PRESENT, STARTED, STOPPED

CREATE, START, STOP, PAUSE, UNPAUSE, REMOVE = "create", "start", "stop", "pause", "unpause", "remove"

Verbs = t.Tuple[str, ...]


class Moves(t.NamedTuple):
    """`usual`; `anew` where the first process has to be another one, because an option changed that it was started with."""

    usual: Verbs
    anew: Verbs


def _moves(*usual: str, anew: t.Optional[Verbs] = None) -> Moves:
    return Moves(usual, usual if anew is None else anew)


_ANEW = (STOP, START)

# What was found (None: nothing), what is wanted. A dead container, whose record is damaged, can only be removed.
MOVES: t.Mapping[t.Tuple[t.Optional[str], str], Moves] = {
    (None, ABSENT): _moves(),
    (None, PRESENT): _moves(CREATE),
    (None, STARTED): _moves(CREATE, START),
    (None, HEALTHY): _moves(CREATE, START),
    (None, PAUSED): _moves(CREATE, START, PAUSE),
    (None, STOPPED): _moves(CREATE),
    (CREATED, ABSENT): _moves(REMOVE),
    (CREATED, PRESENT): _moves(),
    (CREATED, STARTED): _moves(START),
    (CREATED, HEALTHY): _moves(START),
    (CREATED, PAUSED): _moves(START, PAUSE),
    (CREATED, STOPPED): _moves(),
    (EXITED, ABSENT): _moves(REMOVE),
    (EXITED, PRESENT): _moves(),
    (EXITED, STARTED): _moves(START),
    (EXITED, HEALTHY): _moves(START),
    (EXITED, PAUSED): _moves(START, PAUSE),
    (EXITED, STOPPED): _moves(),
    (RUNNING, ABSENT): _moves(STOP, REMOVE),
    (RUNNING, PRESENT): _moves(anew=_ANEW),
    (RUNNING, STARTED): _moves(anew=_ANEW),
    (RUNNING, HEALTHY): _moves(anew=_ANEW),
    (RUNNING, PAUSED): _moves(PAUSE, anew=(*_ANEW, PAUSE)),
    (RUNNING, STOPPED): _moves(STOP),
    (PAUSED, ABSENT): _moves(STOP, REMOVE),
    (PAUSED, PRESENT): _moves(anew=(*_ANEW, PAUSE)),
    (PAUSED, STARTED): _moves(UNPAUSE, anew=_ANEW),
    (PAUSED, HEALTHY): _moves(UNPAUSE, anew=_ANEW),
    (PAUSED, PAUSED): _moves(anew=(*_ANEW, PAUSE)),
    (PAUSED, STOPPED): _moves(STOP),
    (RESTARTING, ABSENT): _moves(STOP, REMOVE),
    (RESTARTING, PRESENT): _moves(anew=_ANEW),
    (RESTARTING, STARTED): _moves(anew=_ANEW),
    (RESTARTING, HEALTHY): _moves(anew=_ANEW),
    (RESTARTING, PAUSED): _moves(*_ANEW, PAUSE),
    (RESTARTING, STOPPED): _moves(STOP),
    (DEAD, ABSENT): _moves(REMOVE),
}

_AFTER = {CREATE: CREATED, START: RUNNING, UNPAUSE: RUNNING, PAUSE: PAUSED, STOP: EXITED, REMOVE: None}


def after(found: t.Optional[str], verbs: Verbs) -> t.Optional[str]:
    """The state when all of them are done."""
    return _AFTER[verbs[-1]] if verbs else found

# SPDX-License-Identifier: BSD-2-Clause
"""A plan is a value: actions with their reasons, and what will have been before and after. Executing it is the only way to
change a host, so `changed`, the diff and the actions cannot disagree, and check mode is one `if`.

Not here: what an action does (the steps of each noun's own file).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError

Facts = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Action:
    """`kind` is a verb such as `start`; `details` are JSON-safe and shown to the user."""

    kind: str
    subject: str
    details: Facts = dataclasses.field(default_factory=dict)

    def shown(self) -> t.Dict[str, t.Any]:
        return {"action": self.kind, "name": self.subject, **self.details}


@dataclasses.dataclass(frozen=True)
class Plan:
    """`action` sums the plan up in a word; an empty `actions` means that nothing is to be done."""

    action: str = changes.NOTHING
    reasons: t.Tuple[str, ...] = ()
    actions: t.Tuple[Action, ...] = ()
    before: Facts = dataclasses.field(default_factory=dict)
    after: Facts = dataclasses.field(default_factory=dict)

    def shown(self) -> t.Dict[str, t.Any]:
        return {"action": self.action, "reasons": list(self.reasons)}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a task reports. `result` holds the module's own return values."""

    changed: bool
    actions: t.List[t.Dict[str, t.Any]]
    plan: t.Dict[str, t.Any]
    diff: t.Dict[str, t.Any]
    result: t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Step:
    """`undo` is called only after `do` returned; a `do` that fails leaves nothing of its own behind."""

    do: t.Callable[[], t.Any]
    undo: t.Callable[[], t.Any] = lambda: None


def outcome(plan: Plan, result: t.Dict[str, t.Any]) -> Outcome:
    return Outcome(
        changed=bool(plan.actions),
        actions=[action.shown() for action in plan.actions],
        plan=plan.shown(),
        diff={"before": dict(plan.before), "after": dict(plan.after)},
        result=result,
    )


def execute(plan: Plan, step: t.Callable[[Action], Step], *, dry_run: bool, proof: t.Optional[t.Callable[[], t.Any]] = None) -> None:
    """The only reader of `dry_run`. The first failure undoes what was done, newest first, and is raised.

    `proof` is called at the end, and its failure is one of the plan.
    """
    if not dry_run:
        apply([*(step(action) for action in plan.actions), *([Step(proof)] if proof is not None else [])])


def apply(steps: t.Sequence[Step]) -> None:
    done: t.List[t.Callable[[], t.Any]] = []
    try:
        for step in steps:
            step.do()
            done.append(step.undo)
    except BaseException as first:
        failed = finish(reversed(done))
        also(first, failed)
        vars(first)["rolled_back"] = bool(done) and not failed
        raise


def also(first: BaseException, failed: t.Sequence[BaseException]) -> None:
    """What failed in undoing is told beside the cause, never instead of it."""
    if isinstance(first, CockerError):
        first.cleanup.extend(failed)
    elif failed:
        vars(first)["cleanup"] = [*vars(first).get("cleanup", ()), *failed]


def is_undone(error: BaseException) -> bool:
    """Whether everything is as before, for all that we know."""
    return not getattr(error, "cleanup", None)


def whole(do: t.Callable[[], t.Any], undo: t.Callable[[], t.Any]) -> Step:
    """A step of several parts: one that fails in the middle undoes itself. `undo` has to be idempotent."""

    def all_or_nothing() -> None:
        try:
            do()
        except BaseException as first:
            also(first, finish([undo]))
            raise

    return Step(all_or_nothing, undo)


def finish(calls: t.Iterable[t.Callable[[], t.Any]]) -> t.List[BaseException]:
    """Teardown: every call is made, whatever fails; returns what went wrong."""
    failed: t.List[BaseException] = []
    for call in calls:
        try:
            call()
        except (CockerError, OSError) as error:
            failed.append(error)
    return failed

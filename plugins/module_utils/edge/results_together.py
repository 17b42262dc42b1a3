# SPDX-License-Identifier: BSD-2-Clause
"""What became of several containers, as cocker_containers returns it: a result for each, and what they come to."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine.containers_together import Answer
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainersWish, ContainerWish

Result = t.Dict[str, t.Any]


def together(answers: t.Sequence[t.Tuple[str, Answer]], wish: ContainersWish) -> Result:
    """Fails where one failed, and says which; all others are there with what was done."""
    wishes = {member.wish.spec.name: member.wish for member in wish.members}
    each = [_one(name, answer, wishes.get(name)) for name, answer in answers]
    logged = b"".join(result.pop(results.LOGGED, b"") for result in each)
    failed = [result for result in each if result.get("failed")]
    found: Result = {
        "changed": any(result["changed"] for result in each),
        "results": each,
        "containers": [result["container"] for result in each if result.get("container")],
        "actions": [action for result in each for action in result.get("actions", ())],
        "plan": _plan(each),
        "diff": [dict(result["diff"], before_header=result["name"], after_header=result["name"]) for result in each if result["changed"]],
    }
    if logged:
        found[results.LOGGED] = logged
    if wish.warnings:
        found["warnings"] = list(wish.warnings)
    if failed:
        said = "; ".join("%s: %s" % (result["name"], result["msg"]) for result in failed)
        found.update(failed=True, msg="%d of %d containers failed: %s" % (len(failed), len(each), said))
    return found


def _one(name: str, answer: Answer, wish: t.Optional[ContainerWish]) -> Result:
    if isinstance(answer, Outcome):
        return {"name": name, **results.ensured(answer, wish)}
    return {"name": name, "changed": False, **runner.failure(answer)}


def _plan(each: t.Sequence[Result]) -> Result:
    """One word where one word holds for all that change."""
    changing = [result for result in each if result["changed"]]
    words = sorted({result["plan"]["action"] for result in changing})
    reasons = ["%s: %s" % (result["name"], reason) for result in changing for reason in result["plan"]["reasons"]]
    return {"action": "none" if not words else words[0] if len(words) == 1 else "several", "reasons": reasons}

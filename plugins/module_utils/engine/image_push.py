# SPDX-License-Identifier: BSD-2-Clause
"""cocker_image_push: an image of the store in a registry. Whether anything is to be done is told by the digest of the manifest.

Not here: which blobs that takes (image_blobs.py).
"""
from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_blobs, inspect, registries
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import PushWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

PUSH, REPLACE = "push", "replace"


def ensure(host: Host, wish: PushWish) -> Outcome:
    """Raises NotFound, Denied, Unreachable, Damaged."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(host.locked("image", wish.image.name, shared=True))     # its layers stay meanwhile
        record = images.resolve(host.layout, wish.image)
        client = stack.enter_context(registries.opened(host, wish.remote, wish.access))
        have = client.find_digest(wish.remote.reference)
        pushed = image_blobs.Pushed(host, client, record, wish.format, stack)
        if have is not None or not host.dry_run:
            pushed.describe()
        plan = _plan(str(wish.remote), str(record.ref), have, pushed.digest)
        told: t.Dict[str, t.Any] = {}
        execute(plan, lambda action: Step(lambda: told.update(pushed.push(wish.remote.reference))), dry_run=host.dry_run)
        result = {"image": inspect.image(record), "reference": str(wish.remote), "digest": pushed.digest}
        return outcome(plan, {**result, **told})


def _plan(remote: str, image: str, have: t.Optional[str], digest: t.Optional[str]) -> Plan:
    """Pure. Where nothing is there, it does not matter what it will be, so a prediction does not have to know."""
    if have is None:
        action = Action(PUSH, image, {"reference": remote})
        return Plan(PUSH, ("the registry does not have it",), (action,), {"exists": False}, {"exists": True})
    if have == digest:
        return Plan()
    action = Action(REPLACE, image, {"reference": remote})
    return Plan(REPLACE, ("the registry has another image there",), (action,), {"digest": have}, {"digest": digest})

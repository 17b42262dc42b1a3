# SPDX-License-Identifier: BSD-2-Clause
"""The images of a container, fetched from their registries before anything else is looked at. They stay, whatever becomes of the container.

In check mode they are foreseen: what the registry says of them is what the container is planned upon.
Not here: images for their own sake (images.py), and how a registry is asked (image_registry.py).
"""
from __future__ import annotations

import dataclasses
import itertools
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_bring, image_registry, stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ALWAYS, MISSING, NEVER, NEWER, ImagePull, Pull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish, ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

PULL = "pull"

Ensure = t.Callable[[Host, ContainerWish], Outcome]


def run(host: Host, wish: ContainerWish, pull: ImagePull, ensure: Ensure) -> Outcome:
    """What `ensure` says, and before it what was fetched. A container follows an image that is looked for anew."""
    fetched = [outcome(plan, {}) for plan in (_fetched(host, text, pull) for text in wish.spec.images or ()) if plan.actions]
    done = ensure(host, dataclasses.replace(wish, pull=None, repin=wish.repin or pull.policy in (ALWAYS, NEWER)))
    if not fetched:
        return done
    reasons = [*itertools.chain.from_iterable(each.plan["reasons"] for each in fetched), *done.plan["reasons"]]
    both = {side: {**{"image %s" % each.actions[0]["name"]: each.diff[side] for each in fetched}, **done.diff[side]}
            for side in ("before", "after")}
    return dataclasses.replace(
        done, changed=True, actions=[*itertools.chain.from_iterable(each.actions for each in fetched), *done.actions], diff=both,
        plan={"action": done.plan["action"] if done.changed else PULL, "reasons": reasons})


def is_needed(host: Host, wish: ContainerWish, pull: ImagePull) -> bool:
    """Whether a registry would be asked."""
    return any(_is_asked(host, text, pull) for text in wish.spec.images or ())


def _is_asked(host: Host, text: str, pull: ImagePull) -> bool:
    return pull.policy != NEVER and (pull.policy != MISSING or not _is_there(host, text))


def _fetched(host: Host, text: str, pull: ImagePull) -> Plan:
    """Raises as image_registry.observe() does."""
    ref = stacks.reference(text)
    if not _is_asked(host, text, pull):
        return Plan()
    version = None if ref.version == versions.NONE else ref.version
    digest = versions.digest_of(ref.version or "")
    remote = distribution.parse_remote("%s@%s" % (ref.name, digest) if digest else str(ref._replace(version=version)), "image")
    wish = ImageWish(
        ref.name, version, source=image_registry.REGISTRY, pull=Pull(remote, pull.policy, pull.platform, pull.access))
    with host.locked("image", ref.name):
        foreseen = host.kept.foreseen.get((ref.name, version or versions.NONE))
        have = foreseen or images.find(host.layout, ref.name, version)
        origin = image_registry.observe(host, wish, have.provenance if have else None)
        plan = image_bring.plan(wish, have, origin)
        if plan.actions and host.dry_run:
            host.kept.foreseen[ref.name, version or versions.NONE] = image_registry.foreseen(host, wish, origin)
        execute(plan, lambda _action: Step(lambda: image_bring.bring(host, wish, origin, image_registry.fill)), dry_run=host.dry_run)
    return plan


def _is_there(host: Host, text: str) -> bool:
    try:
        stacks.resolved(host, [text])
    except NotFound:
        return False
    return True

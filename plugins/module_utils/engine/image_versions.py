# SPDX-License-Identifier: BSD-2-Clause
"""An image under another version or name: records only, so the cost is the same whatever its size.

Not here: images whose content is made (image_sources.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_config, image_use, stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.model import versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

RENAME, COPY, REPLACE = "rename", "copy", "replace"
SOURCE = "image"


def plan_rename(wish: ImageWish, have: t.Optional[ImageRecord], there: t.Optional[ImageRecord], used_by: t.Sequence[str]) -> Plan:
    """Pure. `there` has the new version, `used_by` are the containers that need it. Raises NotFound, Conflict."""
    new = wish.new_version or versions.NONE
    ref, target = str(ImageRef(wish.name, wish.version or versions.NONE)), str(ImageRef(wish.name, new))
    if have is None and there is None:
        raise NotFound("image", ref, "it is not in the store, and neither is %s" % target)
    if have is None or have.version == new:
        return Plan()
    before: t.Dict[str, t.Any] = {"version": have.version}
    reasons = ["version %s is wanted" % new]
    if there is not None:
        if not wish.force:
            raise Conflict("rename image", ref, "%s exists already" % target, hint="force: true replaces it")
        image_use.refuse_used("replace image", target, used_by)
        before["replaced"] = there.id
        reasons.append("force was asked for: the image that has this version is replaced")
    return Plan(RENAME, tuple(reasons), (Action(RENAME, ref, {"new_version": new}),), before, {"version": new})


def origin(host: Host, wish: ImageWish) -> ImageRecord:
    """The image that is copied; without a version the largest. Raises NotFound."""
    return images.resolve(host.layout, stacks.reference(wish.from_image or ""))


def copied(source: ImageRecord, wish: ImageWish) -> ImageRecord:
    """The same layers and history under the name that is wanted."""
    record = dataclasses.replace(
        source, name=wish.name, version=wish.version or versions.NONE, inherited=None,
        provenance=Provenance(SOURCE, "sha256:" + source.id, str(source.ref)),
    )
    return image_config.applied(record, wish.config)


def plan_copy(record: ImageRecord, have: t.Optional[ImageRecord]) -> Plan:
    """Pure. What counts is what the image holds, not what it was copied from."""
    details = {"source": SOURCE, "path": record.provenance.path}
    after = _shown(record)
    if have is None:
        return Plan(COPY, ("the image is not in the store",), (Action(COPY, str(record.ref), details),), {"exists": False}, after)
    before = _shown(have)
    if before == after:
        return Plan()
    return Plan(REPLACE, ("the content of the source is another one",), (Action(REPLACE, str(record.ref), details),), before, after)


def _shown(record: ImageRecord) -> t.Dict[str, t.Any]:
    return {"exists": True, "id": record.id, "author": record.author}

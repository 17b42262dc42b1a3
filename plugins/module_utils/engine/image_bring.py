# SPDX-License-Identifier: BSD-2-Clause
"""An image's content brought into the store: whether it is another one than is there, and then all of it or nothing.

Not here: where it comes from (image_sources.py, image_registry.py), which images are wanted (images.py, image_pull.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_config, image_use
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_made import Made
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, layers

IMPORT, REPLACE = "import", "replace"
Fill = t.Callable[[Host, layers.Batch, ImageWish, str], Made]


def plan(wish: ImageWish, have: t.Optional[ImageRecord], origin: Provenance) -> Plan:
    """Pure. The content decides, not the place that it came from."""
    subject = str(names.ImageRef(wish.name, wish.version))
    details = {"source": origin.source, **({"path": origin.path} if origin.path else {})}
    after = {"exists": True, "source": origin.source, "digest": origin.digest}
    if have is None:
        return Plan(IMPORT, ("the image is not in the store",), (Action(IMPORT, subject, details),), {"exists": False}, after)
    same = have.provenance.brings_the_same(origin)
    if same and not wish.force:
        return Plan()
    reason = "force was asked for" if same else "the content of the source is another one"
    before = {"exists": True, "source": have.provenance.source, "digest": have.provenance.digest}
    return Plan(REPLACE, (reason,), (Action(REPLACE, subject, details),), before, after)


def bring(host: Host, wish: ImageWish, origin: Provenance, fill: Fill) -> t.Mapping[str, t.Any]:
    """What the source tells. The layer of a former content goes when no container has it any more."""
    created = now()
    with layers.batch(host.layout, reuse=not wish.force) as batch:
        made = fill(host, batch, wish, created)
        record = ImageRecord(
            name=wish.name, version=wish.version or versions.NONE, layers=tuple(layer.id for layer in made.layers), config=made.config,
            created=made.created or created,
            provenance=dataclasses.replace(origin, digest=made.digest or origin.digest, content=made.content or origin.content),
            size=sum(layer.size for layer in made.layers), platform=made.platform, author=made.author, history=made.history,
        )
        images.save(host.layout, image_config.applied(record, wish.config))
    image_use.collect(host)
    return made.told

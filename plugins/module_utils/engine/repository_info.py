# SPDX-License-Identifier: BSD-2-Clause
"""cocker_repository_info: what an ssh repository holds. Reads only; nothing of the images themselves is fetched."""
from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import repositories
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import versions
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Stored
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import RepositoryQuery

LAYERS, SINGLE = "layers", "cockerimage"


def query(host: Host, wish: RepositoryQuery) -> t.Dict[str, t.Any]:
    """Raises Denied, Unreachable, Unsupported, NotFound for a directory that is not there, Invalid where no repository is known."""
    reach = repositories.reach(host, wish.reach)
    with repositories.opened(host, reach) as repository:
        if wish.name is None:
            found = repository.listing(wish.match or "")
        elif wish.name.version is None:
            found = repository.listing(name=wish.name.name)
        else:
            one = repository.find(wish.name)
            found = [one] if one is not None else []
    shown = [_shown(stored) for stored in found]
    return {"repository": str(reach.address), "exists": bool(shown), "images": shown,
            "image": shown[-1] if shown and wish.name is not None else None}


def _shown(stored: Stored) -> t.Dict[str, t.Any]:
    single, manifest = stored.single, stored.manifest
    time = datetime.datetime.fromtimestamp(stored.modified, datetime.timezone.utc)
    return {
        "reference": str(stored.ref), "name": stored.ref.name, "version": stored.ref.version or versions.NONE,
        "form": SINGLE if single else LAYERS, "size": stored.size, "modified": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "digest": (single.digest if single else stored.digest) or None,
        "layers": [{"digest": layer.digest, "size": layer.size} for layer in manifest.layers] if manifest else [],
        "damage": stored.damage or None,
    }

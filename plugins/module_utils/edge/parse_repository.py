# SPDX-License-Identifier: BSD-2-Clause
"""The options that say how ssh repositories are reached, and those of cocker_repository and cocker_repository_info, read."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_registry, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names, repository, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import (
    PRESENT,
    Fetch,
    Reach,
    RepositoryQuery,
    RepositoryWish,
)

_LONGEST = 3600
_MEANT_BY_SSH = frozenset('"%$\\')


def reach(params: Params) -> Reach:
    """Raises Invalid."""
    address, key, timeout = params["repository"], params["repository_host_key"], params["repository_timeout"]
    if not 1 <= timeout <= _LONGEST:
        raise Invalid("repository_timeout", "%d is not between 1 and %d seconds" % (timeout, _LONGEST))
    if key is not None and params["repository_known_hosts"] is not None:
        raise Invalid("repository_known_hosts", "with repository_host_key there is nothing to look up in it")
    return Reach(
        address=None if address is None else repository.parse_address(address, "repository"),
        identity_path=_path(params, "repository_identity"),
        known_hosts_path=_path(params, "repository_known_hosts"),
        host_key=None if key is None else repository.host_key(key, "repository_host_key"),
        timeout=timeout,
    )


def _path(params: Params, option: str) -> t.Optional[str]:
    """ssh reads more in a path than its name."""
    path = values.absolute(params[option], option)
    if path is not None and (_MEANT_BY_SSH & set(path) or not path.isprintable()):
        raise Invalid(option, "%r: ssh takes no path with one of %s in it" % (path, " ".join(sorted(_MEANT_BY_SSH))))
    return path


def fetch(params: Params, name: str, version: t.Optional[str]) -> Fetch:
    """Without a reference the image is called in the repository as it is in the store. Raises Invalid."""
    said = params["reference"]
    ref = ImageRef(name, version) if said is None else names.parse_image(said, "reference")
    return Fetch(ref, reach(params), params["pull"], is_open=said is not None)


def wish(params: Params) -> RepositoryWish:
    """Raises Invalid."""
    image, target = None, None
    if params["name"] is not None:
        image = parse_registry.image_ref(params)
        target = names.parse_image(params["reference"], "reference") if params["reference"] is not None else None
    elif not params["remember"]:
        raise Invalid("name", "it is needed, unless only the repository is remembered with remember: true")
    for option in ("version", "reference"):
        if image is None and params[option] is not None:
            raise Invalid(option, "it needs a name")
    if params["state"] != PRESENT:
        _refuse_with_absent(params, target or image)
    if params["force"] and image is None:
        raise Invalid("force", "it needs a name: it replaces an image in the repository")
    return RepositoryWish(image, params["state"], target, params["force"], params["remember"], reach(params))


def _refuse_with_absent(params: Params, ref: t.Optional[ImageRef]) -> None:
    if ref is None:
        raise Invalid("state", "absent needs the name of an image")
    if params["force"]:
        raise Invalid("force", "it is for state: present, where it replaces an image in the repository")
    if ref.version is None:
        raise Invalid("version", "say which is to be removed; %s is the one without a version" % versions.NONE)


def query(params: Params) -> RepositoryQuery:
    """Raises Invalid."""
    name = None if params["name"] is None else names.parse_image(params["name"], "name")
    return RepositoryQuery(name, params["match"], reach(params))

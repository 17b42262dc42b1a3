# SPDX-License-Identifier: BSD-2-Clause
"""How the images of a container are fetched from registries, read. Not here: the image's own module (parse_image.py)."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_registry
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ALWAYS, MISSING, Access, ImagePull

OPTION = "registry"
_BOOLEANS = {"true": ALWAYS, "false": MISSING}      # as docker_container has them


def pull(params: Params) -> ImagePull:
    """Raises Invalid."""
    platform = distribution.parse_platform(params["platform"]) if params["platform"] is not None else None
    try:
        access = parse_registry.access(params[OPTION]) if params[OPTION] is not None else Access()
    except Invalid as error:
        raise Invalid("%s.%s" % (OPTION, error.subject), error.reason, hint=error.hint) from error
    said = str(params["pull"])
    return ImagePull(_BOOLEANS.get(said, said), platform, access)

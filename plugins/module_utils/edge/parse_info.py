# SPDX-License-Identifier: BSD-2-Clause
"""The options of the info modules, read: the name that is asked for, or none."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names


def named(params: Params) -> t.Optional[str]:
    """Raises Invalid."""
    return None if params["name"] is None else names.object_name(params["name"], "name")


def image(params: Params) -> t.Optional[str]:
    """Raises Invalid."""
    return None if params["name"] is None else parse_image.reference(params["name"], "name")


def nothing(_params: Params) -> None:
    return None

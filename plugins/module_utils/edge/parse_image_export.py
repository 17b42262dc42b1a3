# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_image_export, read."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import COCKERIMAGE, DOCKER, OCI, ROOTFS, ExportWish

_COMPRESSION = {"none": "plain", "gzip": "gzip", "zstd": "zstd"}
_USUAL = {ROOTFS: "none", COCKERIMAGE: "gzip", DOCKER: "none", OCI: "gzip"}


def wish(params: Params) -> ExportWish:
    """Raises Invalid."""
    images = tuple(_reference(name, params["version"]) for name in params["names"])
    path = values.absolute(params["path"], "path") or ""
    form = params["format"] or (COCKERIMAGE if path.endswith(names.COCKERIMAGE) else DOCKER)
    if not images or len(set(images)) != len(images):
        raise Invalid("names", "it names no image, or one twice")
    if len(images) > 1 and form in (ROOTFS, COCKERIMAGE):
        raise Invalid("names", "format: %s holds one image only" % form)
    if form == COCKERIMAGE and params["compression"] not in (None, "gzip"):
        raise Invalid("compression", "a .cockerimage is compressed by gzip")
    return ExportWish(images, path, form, _COMPRESSION[params["compression"] or _USUAL[form]], force=params["force"])


def _reference(text: str, version: t.Optional[str]) -> names.ImageRef:
    ref = names.parse_image(text, "names")
    if ref.version is not None or version is None:
        return ref
    return ref._replace(version=names.image_version(version, "version"))

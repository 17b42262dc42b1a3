# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_volume_archive, read."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import BACKUP, RESTORE, VolumeArchiveWish

_COMPRESSION = {"none": "plain", "gzip": "gzip", "zstd": "zstd"}
_ENDINGS = ((".gz", "gzip"), (".tgz", "gzip"), (".zst", "zstd"), (".tzst", "zstd"))


def wish(params: Params) -> VolumeArchiveWish:
    """Raises Invalid."""
    operation, path = params["operation"], values.absolute(params["path"], "path") or ""
    for option, of in (("compression", BACKUP), ("force", RESTORE)):
        if params[option] is not None and operation != of:
            raise Invalid(option, "it is for operation %s; what is in an archive is told by its first bytes" % of
                          if of == BACKUP else "it is for operation %s; a file that is there and not the volume's is replaced" % of)
    usual = next((kind for ending, kind in _ENDINGS if path.endswith(ending)), "none")
    return VolumeArchiveWish(
        names.object_name(params["name"], "name"), path, operation, _COMPRESSION[params["compression"] or usual], force=params["force"])

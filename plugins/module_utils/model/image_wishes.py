# SPDX-License-Identifier: BSD-2-Clause
"""What tasks ask of images that leave the store. Not here: those that come (wishes.py), and registries (remote_wishes.py)."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef

ROOTFS, COCKERIMAGE, DOCKER, OCI = "rootfs", "cockerimage", "docker-archive", "oci-archive"


@dataclasses.dataclass(frozen=True)
class ExportWish:
    """`path` is on the host. `compression` is plain, gzip or zstd: of the layers in an OCI layout, else of the file."""

    images: t.Tuple[ImageRef, ...]
    path: str
    format: str = DOCKER
    compression: str = "plain"
    force: bool = False

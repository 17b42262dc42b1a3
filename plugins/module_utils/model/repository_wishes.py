# SPDX-License-Identifier: BSD-2-Clause
"""What tasks ask of ssh repositories of images. Not here: how one is spoken to (registry/), and what registries are asked."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import MISSING
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address

PRESENT, ABSENT = "present", "absent"


@dataclasses.dataclass(frozen=True)
class Reach:
    """How a repository is reached; `address` None is the one that the host remembers, with what it remembers for it.

    `identity_path` and `known_hosts_path` are files of the host, None is what ssh would take. With `host_key` only a server that has this
    key is trusted. `timeout` in seconds, of silence.
    """

    address: t.Optional[Address] = None
    identity_path: t.Optional[str] = None
    known_hosts_path: t.Optional[str] = None
    host_key: t.Optional[str] = None
    timeout: int = 60


@dataclasses.dataclass(frozen=True)
class Fetch:
    """`ref` without a version is the largest there is if `is_open`, else the one without a version. `policy` as that of a Pull."""

    ref: ImageRef
    reach: Reach = Reach()
    policy: str = MISSING
    is_open: bool = False


@dataclasses.dataclass(frozen=True)
class RepositoryWish:
    """`image` None: only the address is remembered. `target` is what the image is called there, None as in the store."""

    image: t.Optional[ImageRef] = None
    state: str = PRESENT
    target: t.Optional[ImageRef] = None
    force: bool = False
    remember: bool = False
    reach: Reach = Reach()


@dataclasses.dataclass(frozen=True)
class RepositoryQuery:
    """`name` is an image, or all versions of one; `match` is a part of NAME[:VERSION], where * and ? stand for others."""

    name: t.Optional[ImageRef] = None
    match: t.Optional[str] = None
    reach: Reach = Reach()

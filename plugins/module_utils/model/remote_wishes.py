# SPDX-License-Identifier: BSD-2-Clause
"""What tasks ask of registries. Not here: how a registry is spoken to (registry/), and the other wishes (wishes.py)."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Remote
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Platform
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef

PRESENT, ABSENT = "present", "absent"
OCI, DOCKER = "oci", "docker"
NEVER, MISSING, NEWER, ALWAYS = "never", "missing", "newer", "always"


@dataclasses.dataclass(frozen=True)
class Access:
    """How registries are reached. `auth_path` None: the engine's own file, then podman's and docker's."""

    plain_http: bool = False
    validate_certs: bool = True
    ca_path: t.Optional[str] = None
    timeout: int = 60
    auth_path: t.Optional[str] = None


@dataclasses.dataclass(frozen=True)
class LoginWish:
    """The password is never shown, not even by repr()."""

    registry: str
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    state: str = PRESENT
    verify: bool = True
    reauthorize: bool = False
    access: Access = Access()


@dataclasses.dataclass(frozen=True)
class PushWish:
    """An image of the store under a tag of a registry; `format` is oci or docker."""

    image: ImageRef
    remote: Remote
    format: str = OCI
    access: Access = Access()


@dataclasses.dataclass(frozen=True)
class ImagePull:
    """How the images of a container are fetched, each from the registry that its name begins with."""

    policy: str
    platform: t.Optional[Platform] = None
    access: Access = Access()


@dataclasses.dataclass(frozen=True)
class Pull:
    """`platform` None is the host's. `policy` says when the registry is asked: never, where the image is missing, or each time, where
    with `newer` the store's image is good enough if the registry does not answer.
    """

    remote: Remote
    policy: str = MISSING
    platform: t.Optional[Platform] = None
    access: Access = Access()

# SPDX-License-Identifier: BSD-2-Clause
"""What tasks ask of registries. Not here: how a registry is spoken to (registry/), and the other wishes (wishes.py)."""
from __future__ import annotations

import dataclasses
import typing as t

PRESENT, ABSENT = "present", "absent"


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

# SPDX-License-Identifier: BSD-2-Clause
"""A user and a password, and how HTTP says them. Not here: where they are kept (authfile.py), and whom they are sent to (auth.py)."""
from __future__ import annotations

import base64
import dataclasses


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The password is never shown, not even by repr()."""

    username: str
    password: str = dataclasses.field(repr=False)

    def encoded(self) -> str:
        return base64.b64encode(("%s:%s" % (self.username, self.password)).encode("utf-8")).decode("ascii")

    def basic(self) -> str:
        return "Basic " + self.encoded()

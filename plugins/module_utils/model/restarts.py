# SPDX-License-Identifier: BSD-2-Clause
"""Restart policies as they are written. Pure, and small: the launcher reads it. Not here: what follows from one (init/restart.py)."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

NO, ON_FAILURE, ALWAYS, UNLESS_STOPPED = "no", "on-failure", "always", "unless-stopped"
POLICIES = (NO, ON_FAILURE, ALWAYS, UNLESS_STOPPED)
OPTION = "restart_policy"
_ACCEPTED = "no, on-failure, on-failure:N, always and unless-stopped are accepted"


class Policy(t.NamedTuple):
    """`retries` is for on-failure only; 0 is without end."""

    name: str = NO
    retries: int = 0

    def __str__(self) -> str:
        return "%s:%d" % self if self.retries else self.name


def parse(text: str, option: str = OPTION) -> Policy:
    """Raises Invalid."""
    name, colon, retries = text.strip().partition(":")
    if name not in POLICIES or (colon and name != ON_FAILURE):
        raise Invalid(option, "%r is no restart policy; %s" % (text, _ACCEPTED))
    if colon and not (retries.isascii() and retries.isdigit() and len(retries) < 10):
        raise Invalid(option, "%r does not say how often; %s" % (text, _ACCEPTED))
    return Policy(name, int(retries or 0))

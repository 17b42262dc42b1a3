# SPDX-License-Identifier: BSD-2-Clause
"""The seccomp filter of a container, compiled once and kept. Not here: what is in it, and compiling (kernel/seccomp.py)."""
from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.runtime import credentials


def prepare(profile: t.Optional[oci.Object]) -> t.Optional[seccomp.Prepared]:
    """Raises Invalid, Unsupported."""
    if profile is None:
        return None
    credentials.check_filter(profile)
    folder = os.path.join(os.path.dirname(sys.path[0]), "seccomp")      # beside the copy of the engine that this runs from
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return seccomp.prepare(seccomp.cached(profile, folder), flags=seccomp.flags(profile))

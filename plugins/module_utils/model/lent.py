# SPDX-License-Identifier: BSD-2-Clause
"""Where a command in a container sees the programs that the host lends it.

Not here: which these are (storage/toolset.py), and how they come there (runtime/tools.py).
"""
from __future__ import annotations

POINT = "/dev/.cocker"      # its length matters: names of the loader are replaced by it in place
PATH = POINT + "/path"      # every program, by name

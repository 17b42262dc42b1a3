# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checkout importable as ansible_collections.cocker.engine, however pytest was started."""
from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / ".build" / "tree"
LINK = TREE / "ansible_collections" / "cocker" / "engine"

if not LINK.is_symlink():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(ROOT, target_is_directory=True)
if str(TREE) not in sys.path:
    sys.path.insert(0, str(TREE))

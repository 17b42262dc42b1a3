# SPDX-License-Identifier: BSD-2-Clause
"""What a supervisor runs when its container has ended by itself. Not here: what is done then (ended.py).

Imports happen in the function: whoever installs an engine reads this file for its name only (bundle.py).
"""
from __future__ import annotations

import typing as t


def main(arguments: t.Sequence[str]) -> None:
    """`HOME NAME`."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import ended, entry

    home, name = arguments
    ended.settle(entry.open_host(home, dry_run=False), name)

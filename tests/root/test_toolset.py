# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that are lent to containers: what the host's Python has compiled stays compiled."""
from __future__ import annotations

import importlib.util
import os
import pathlib

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.storage import toolset

pytestmark = pytest.mark.root


def test_no_module_is_compiled_again_in_each_task(tmp_path: pathlib.Path) -> None:
    """A .pyc file names size and time of its source (PEP 552 has other kinds; the host's may be of them)."""
    toolset.build(str(tmp_path / "tools"))
    library = tmp_path / "tools" / os.path.realpath(os.__file__).lstrip("/")
    checked = 0
    for name in ("os", "json/__init__", "zipfile", "subprocess"):
        source = library.parent / (name + ".py")
        compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
        if not compiled.exists():
            continue
        head = compiled.read_bytes()[:16]
        facts = source.stat()
        assert head[4:8] != bytes(4) or head[8:16] == int(facts.st_mtime).to_bytes(4, "little") + facts.st_size.to_bytes(4, "little"), name
        checked += 1
    assert checked or not list(pathlib.Path(os.__file__).parent.glob("__pycache__/os.*.pyc"))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the functions that usual containers call (oci/warm.py): one that is missing there is unpacked at each start."""
from __future__ import annotations

import subprocess

import pytest

from ansible_collections.cocker.engine.tools import warm

pytestmark = pytest.mark.root

# Which of these are called is the host's doing: the list is of one with cgroup v1.
OF_THE_HOST = "runtime/cgroups/"
VERSION = "import sys; sys.exit(sys.version_info < (3, 11))"


@pytest.mark.skipif(subprocess.run([warm.PYTHON, "-c", VERSION], check=False).returncode != 0, reason="the host's Python names no functions")
def test_nothing_sleeps_that_every_start_wakes(tmp_path):
    """What a loaded machine makes one start do (waiting once more, say) is not what all do."""
    found = None
    for place in range(3):
        folder = tmp_path / str(place)
        folder.mkdir()
        slept = {"%s: %s" % (call.file, call.function) for call in warm.called(folder) if call.slept and not call.file.startswith(OF_THE_HOST)}
        found = slept if found is None else found & slept
        if not found:
            return
    assert found == set(), "tools/warm.py writes the list anew"

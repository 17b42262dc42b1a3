# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the run of Ansible that made something has been killed."""
from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

pytest.importorskip("ansible.errors")

from ansible_collections.cocker.engine.plugins.plugin_utils import buildlife

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")


def test_a_run_is_its_main_process() -> None:
    with multiprocessing.get_context("fork").Pool(1) as workers:
        assert workers.apply(buildlife.own) == buildlife.own()


def test_one_that_goes_on_and_one_that_was_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = buildlife._mark(process.pid)
    assert not buildlife.has_died(mark)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert buildlife.has_died(mark)         # nobody has waited for it
    process.communicate()
    assert buildlife.has_died(mark)


def test_another_process_of_the_same_number_is_another_run() -> None:
    place, _slash, process = buildlife.own().rpartition("/")
    assert buildlife.has_died("%s/%s-1" % (place, process.partition("-")[0]))


@pytest.mark.parametrize("mark", ["", "boot/4026531836/1-1", "nonsense", buildlife._place(), buildlife._place() + "/x-1"])
def test_of_others_nothing_is_known(mark: str) -> None:
    assert not buildlife.has_died(mark)

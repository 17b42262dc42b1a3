# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's first process and whoever makes it say to each other, in each order that the kernel may bring it."""
from __future__ import annotations

import os
import signal
import types
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import create, records, talk

RECORD = records.Record(id="x", init=process.Identity(0, 0), boot_id="b", bundle="/b", rootfs="/r", created="", owner=0, cgroups={}, config={})
PLAN: t.Any = types.SimpleNamespace(entered=types.SimpleNamespace(has_user=True), config=types.SimpleNamespace(hooks={}))


def forked(then: t.Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        then()
        os._exit(0)
    return pid


@pytest.fixture
def inner():
    """The container's process, which is our child as the process between has made it."""
    pid = forked(signal.pause)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def converse(said: t.Sequence[bytes], *, at_once: bool = False) -> t.Tuple[records.Record, t.List[int], t.List[bytes]]:
    """With a process between that has ended, and messages that are there already, in this order; also what was answered."""
    ours, theirs = fds.packet_pair()
    for each in said:
        os.write(theirs, each)
    stage = forked(lambda: None)
    pids = [stage]
    try:
        record = create._converse(ours, PLAN, RECORD, pids, at_once=at_once)
        os.close(ours)
        ours = -1
        return record, pids, list(iter(lambda: os.read(theirs, 1000), b""))
    finally:
        if pids == [stage]:
            os.waitpid(stage, 0)
        os.close(theirs)
        if ours >= 0:
            os.close(ours)


@pytest.mark.parametrize("number_first", [True, False], ids=("number first", "process first"))
@pytest.mark.parametrize("wishes", [[], [talk.HOOKS]], ids=("ready", "hooks"))
def test_in_a_user_namespace_the_process_may_be_heard_before_its_number(inner, number_first, wishes):
    own, number = [*wishes, talk.READY], talk.PID + b"%d" % inner
    record, pids, answers = converse([number, *own] if number_first else [own[0], number, *own[1:]])
    assert record.init == process.of_child(inner) and pids == [inner]
    assert answers == [talk.GO + b'{"pid": %d}' % inner for _wish in wishes]


def test_all_that_it_says_may_come_before_its_number(inner):
    record, pids, answers = converse([talk.HOOKS, talk.READY, talk.PID + b"%d" % inner])
    assert (record.init.pid, pids, len(answers)) == (inner, [inner], 1)


def test_a_failure_is_told_whether_there_is_a_number_or_not():
    for early in ([], [talk.HOOKS]):
        with pytest.raises(CockerError, match="no luck"):
            converse([*early, talk.FAILED + b'["start", "no luck", 2]'])

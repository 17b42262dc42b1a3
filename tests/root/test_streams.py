# SPDX-License-Identifier: GPL-3.0-or-later
"""The standard streams of a container's own command: a terminal, an open input, or neither. On the real kernel, without Ansible."""
from __future__ import annotations

import os
import signal
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.tests.root import runtimelab

pytestmark = pytest.mark.root
Make = t.Callable[..., runtimelab.Box]
layer, make, until = runtimelab.layer, runtimelab.make, runtimelab.until       # fixtures, and a helper
INITS = pytest.mark.parametrize("init", [False, True])


def sh(script: str, **wish: t.Any) -> t.Dict[str, t.Any]:
    return dict({"args": ("sh", "-c", script)}, **wish)


@INITS
def test_a_terminal_of_the_container_s_own(make: Make, init: bool) -> None:
    box = make(init=init, user="app", terminal=True, **sh("tty; stty size; echo $TERM; echo err >&2; ls -l /proc/self/fd/0 | grep -o pts.*; exit 3"))
    assert box.run().exit_code == 3
    assert box.output() == b"/dev/pts/0\r\n24 80\r\nxterm\r\nerr\r\npts/0\r\n" and box.output("stderr") == b""


@INITS
def test_a_shell_at_a_terminal_waits_and_can_be_interrupted(make: Make, init: bool) -> None:
    box = make(init=init, terminal=True, args=("sh",))
    assert box.start().error == ""
    until(lambda: b"#" in box.output() or box.exec("true").rc == 0)
    assert box.exec("sh", "-c", "printf 'echo said $((6*7))\\nexit 5\\n' > /dev/null; ls /dev/pts").stdout == b"0\nptmx\n"
    found = box.state()
    assert found.is_running()
    process.signal(found.init, signal.SIGKILL)
    box.wait()


def test_a_terminal_that_is_left_for_a_moment_is_not_gone(make: Make) -> None:
    box = make(terminal=True, **sh("exec > /dev/null 2>&1 < /dev/null; sleep 0.2; exec > /dev/pts/0; echo back"))
    box.run()
    assert box.output() == b"back\r\n"


def test_what_is_started_again_has_another_terminal(make: Make) -> None:
    box = make(terminal=True, restart="on-failure:2", **sh("echo up; exit 1"))
    assert box.run().restart_count == 2
    assert box.output() == b"up\r\n" * 3


@INITS
def test_an_open_input_is_waited_for_and_a_closed_one_is_not(make: Make, init: bool) -> None:
    box = make("open", init=init, stdin_open=True, **sh("cat; echo ended"))
    assert box.start().error == ""
    supervisor, first = box.state().supervisor.pid, box.state().init
    assert len(os.listdir("/proc/%d/fd" % supervisor)) > 3
    process.wait_gone(first, 0.3)
    assert box.state().is_running()
    if init:
        assert {os.readlink("/proc/%d/fd/%d" % (first.pid, number)) for number in range(3)} == {"/dev/null"}
    process.signal(first, signal.SIGKILL)
    box.wait()
    box = make("closed", init=init, **sh("cat; echo ended"))
    box.run()
    assert box.lines() == ["ended"]


@pytest.mark.parametrize("wish", [{"terminal": True}, {"stdin_open": True}], ids=str)
@INITS
def test_a_command_that_is_not_there_leaves_nothing(make: Make, init: bool, wish: t.Dict[str, t.Any]) -> None:
    box = make(init=init, args=("/nowhere",), **wish)
    assert "exec /nowhere: No such file or directory" in box.start().error
    assert state.find(str(box.state_dir)) is None and box.cgroup_directories() == []


def test_the_supervisor_holds_no_more_than_it_needs(make: Make) -> None:
    counts = []
    for name, wish in (("plain", {}), ("tty", {"terminal": True}), ("open", {"stdin_open": True})):
        box = make(name, args=("sleep", "100"), **wish)
        assert box.start().error == ""
        counts.append(len(os.listdir("/proc/%d/fd" % box.state().supervisor.pid)))
    assert counts == [counts[0], counts[0], counts[0] + 1]      # two ends of a terminal in place of two pipes; one more pipe

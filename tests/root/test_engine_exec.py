# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in a running container: with a terminal, not waited for, only where they are needed, ended as a whole."""
from __future__ import annotations

import os
import signal
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import exec, execs
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, NotFound, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        with enginelab.clean(found) as engine:
            engine.start(network_mode="none", init=True)
            yield engine


def sh(engine, script, **said):
    return engine.exec("web", "/bin/sh", "-c", script, **said)


def told(engine, identifier, **said):
    return engine.run(lambda host: execs.shown(execs.get(host, "web", identifier), **said))


def ended(engine, identifier):
    assert poll.until(lambda: not told(engine, identifier)["Running"], timeout=10)
    return told(engine, identifier)


@pytest.fixture
def divided(web):
    """As an init system does: the container's cgroup of version 2 has controllers for its children, and no processes of its own."""
    groups = web.find("web")["Cocker"]["Cgroups"]
    offered = cgroupfs.read(groups["unified"], "cgroup.controllers").split() if "unified" in groups else []
    if not offered:
        pytest.skip("this host has no controller of version 2 to give away")
    top, child = groups["unified"], groups["unified"] + "/init.scope"
    os.mkdir(child)
    for pid in cgroupfs.pids(top):
        cgroupfs.write(child, "cgroup.procs", str(pid))
    cgroupfs.write(top, "cgroup.subtree_control", "+" + offered[0])
    yield child
    cgroupfs.write(top, "cgroup.subtree_control", "-" + offered[0])
    for pid in cgroupfs.pids(child):
        cgroupfs.write(top, "cgroup.procs", str(pid))
    os.rmdir(child)


def test_in_a_divided_cgroup_a_command_goes_where_process_1_is(web, divided):
    done = sh(web, "grep ^0:: /proc/self/cgroup /proc/1/cgroup")
    assert [line.rpartition(b":")[2] for line in done["stdout"].splitlines()] == [b"/init.scope"] * 2


def test_a_terminal(web):
    done = sh(web, "tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; echo wrong >&2; exit 3", tty=True)
    assert done["rc"] == 3 and done["stderr"] == b""
    assert done["stdout"].split() == [b"/dev/pts/0", b"all", b"24", b"80", b"wrong"]


def test_a_terminal_has_input_and_an_end_of_it(web):
    done = sh(web, "stty -echo; cat; echo over", tty=True, stdin=b"one\ntwo\n", timeout=10)
    assert not done["timed_out"] and done["stdout"].endswith(b"over\r\n") and b"two" in done["stdout"]


def test_a_terminal_belongs_to_the_user(web):
    assert sh(web, "echo x > $(tty)", tty=True, user="web")["stdout"] == b"x\r\n"


def test_much_output_through_a_terminal(web):
    done = sh(web, "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done", tty=True)
    assert done["stdout"].split() == [b"%d" % number for number in range(20000)]


def test_a_command_that_nobody_waits_for(web):
    done = sh(web, "echo out; echo err >&2; sleep 1; echo late; exit 7", detach=True)
    seen = told(web, done["exec_id"])
    assert seen["Running"] and seen["ExitCode"] is None and seen["Command"][:2] == ["/bin/sh", "-c"]
    seen = ended(web, done["exec_id"][:12])
    assert (seen["ExitCode"], seen["stdout"], seen["stderr"]) == (7, b"out\nlate\n", b"err\n")
    assert told(web, done["exec_id"], tail=1)["stdout"] == b"late\n"
    assert seen["StartedAt"] < seen["FinishedAt"]


def test_one_that_takes_too_long_is_ended_as_a_whole(web):
    done = sh(web, "sleep 7777 & sleep 7777", detach=True, timeout=0.5)
    seen = ended(web, done["exec_id"])
    assert seen["TimedOut"] and sh(web, "ps | grep -c '[s]leep 7777'")["stdout"] == b"0\n"


def test_one_that_cannot_be_run_leaves_nothing(web):
    before = len(web.run(lambda host: execs.listed(host, "web")))
    with pytest.raises(CockerError, match="no-such-program"):
        web.exec("web", "no-such-program", detach=True)
    assert len(web.run(lambda host: execs.listed(host, "web"))) == before
    with pytest.raises(NotFound):
        told(web, "0123")


def test_its_process_is_known_while_it_runs(web):
    identifier = web.exec("web", "/bin/sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", detach=True)["exec_id"]
    pid = told(web, identifier)["Pid"]
    with open("/proc/%d/cmdline" % pid, "rb") as stream:
        assert stream.read().startswith(b"/bin/sh\0-c\0trap")
    assert poll.until(lambda: told(web, identifier)["stdout"] == b"ready\n", timeout=10)
    os.kill(pid, signal.SIGTERM)
    assert ended(web, identifier)["ExitCode"] == 7
    assert told(web, identifier)["Pid"] == 0


def test_it_goes_on_when_the_task_is_gone_and_ends_with_the_container(web):
    web.start("job", network_mode="none")
    done = web.exec("job", "/bin/sh", "-c", "while :; do sleep 0.1; done", detach=True)

    def seen():
        return web.run(lambda host: execs.shown(execs.get(host, "job", done["exec_id"])))
    time.sleep(0.3)
    assert seen()["Running"]
    web.ensure("job", state="stopped")
    assert poll.until(lambda: seen()["ExitCode"] == 137, timeout=10)
    web.ensure("job", state="absent")


@pytest.mark.parametrize(("said", "runs"), [
    ({"creates": "/etc/passwd"}, False), ({"creates": "/no/such"}, True),
    ({"removes": "/etc/passwd"}, True), ({"removes": "/no/such"}, False),
    ({"creates": "/no/such", "removes": "/no/such"}, False),
], ids=str)
def test_only_where_it_is_needed_and_check_mode_knows(web, said, runs):
    wish = ExecWish("web", ("/bin/sh", "-c", "echo ran"), **said)
    told_before = web.lab.run(lambda: exec.run(open_host(web.home, dry_run=True), wish))
    done = web.lab.run(lambda: exec.run(open_host(web.home, dry_run=False), wish))
    assert told_before["would_run"] is runs and not told_before["unknown"]
    assert ("skipped" in done) is not runs
    if runs:
        assert done["stdout"] == b"ran\n"


def test_check_mode_without_a_hint_does_not_know(web):
    found = web.lab.run(lambda: exec.run(open_host(web.home, dry_run=True), ExecWish("web", ("/bin/touch", "/ran"))))
    assert found["unknown"] and sh(web, "test -e /ran")["rc"] == 1


def test_the_oldest_are_forgotten(web):
    before = execs.KEPT

    def few():
        execs.KEPT = 2
        host = open_host(web.home, dry_run=False)
        found = []
        for _round in range(4):
            found.append(exec.run(host, ExecWish("web", ("/bin/true",), detach=True))["exec_id"])
            poll.until(lambda: not execs.shown(execs.get(host, "web", found[-1]))["Running"], timeout=10)
        return found, [kept.id for kept in execs.listed(host, "web")]
    made, left = web.lab.run(few)
    assert left == made[1:] and execs.KEPT == before


@pytest.mark.parametrize("user", ["1_0", " 0 ", "+0", "\u0660", "0x0", "1000:", ":1000", "4294967296"])
def test_a_user_is_never_guessed(web, user):
    """CVE-2024-40635: int() takes some of these for a number."""
    with pytest.raises(CockerError):
        web.exec("web", "/bin/id", user=user)


def test_a_directory_that_is_a_descriptor_is_refused(web):
    """CVE-2024-21626."""
    for number in (3, 7, 10):
        with pytest.raises(CockerError, match="option chdir: "):
            web.exec("web", "/bin/pwd", chdir="/proc/self/fd/%d" % number)


def test_who_cannot_run_anything_is_told_by_the_name_of_the_container(engine):
    engine.start(network_mode="none")
    for said, reason in (({"user": "nobody-here"}, "user nobody-here: no such name"), ({"chdir": "/nowhere"}, "option chdir: /nowhere: No such file")):
        with pytest.raises(StartFailed, match="^exec in container web: .*%s" % reason):
            engine.exec("web", "/bin/true", **said)

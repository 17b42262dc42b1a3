# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a running container from outside: its processes, counters and output."""
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import info
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        with enginelab.clean(found) as engine:
            script = "echo one; echo two >&2; echo three; exec sleep 4242"
            engine.start(network_mode="none", command=("/bin/sh", "-c", script), user="web", memory=64 << 20, pids_limit=20)
            assert poll.until(lambda: len(told(engine, "logs")["Logs"]["lines"]) == 3, timeout=10)
            yield engine


def told(engine, *gather, **said):
    query = ContainerQuery("web", gather, **said)
    return engine.lab.run(lambda: info.gathered(open_host(engine.home, dry_run=True), query))[0]["Cocker"]


def test_processes_are_seen_from_outside(web):
    [only] = told(web, "processes")["Processes"]
    assert only["Command"] == ["sleep", "4242"] and only["ContainerPID"] == 1 and only["UID"] == 1000
    assert only["PID"] == web.state("web")["Pid"] and only["RSS"] > 0 and only["State"] == "S"


def test_counters(web):
    stats = told(web, "stats")["Stats"]
    assert stats["memory_stats"]["limit"] == 64 << 20 and stats["memory_stats"]["usage"] > 0
    assert stats["pids_stats"] == {"current": 1, "limit": 20} and stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["networks"] == {}


def test_output(web):
    logs = told(web, "logs")["Logs"]
    assert (logs["stdout"], logs["stderr"]) == (b"one\nthree\n", b"two\n")
    assert {line["log"] for line in told(web, "logs", tail=1)["Logs"]["lines"]} <= {b"one\n", b"two\n", b"three\n"}
    assert told(web, "logs", since="2999-01-01T00:00:00.000000000Z")["Logs"]["lines"] == []


def test_commands_that_nobody_waited_for(web):
    identifier = web.exec("web", "/bin/echo", "said", detach=True)["exec_id"]
    assert poll.until(lambda: not told(web, "execs", exec_id=identifier)["Execs"][0]["Running"], timeout=10)
    [found] = told(web, "execs")["Execs"]
    assert found["ID"] == identifier and found["stdout"] == b"said\n" and found["ExitCode"] == 0
    with pytest.raises(NotFound):
        told(web, "execs", exec_id="ffff")


def test_where_the_root_is(web):
    assert web.lab.run(os.listdir, told(web)["Root"]) and "Processes" not in told(web)

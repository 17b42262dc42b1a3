# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running container is: confined, limited, reachable where it is published; and what is left when it ends by itself."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = pytest.mark.root


def fetch(address, port):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open("http://%s:%d/" % (address, port), timeout=2) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError) as error:
        return str(getattr(error, "reason", error))


def ended(engine, name="web"):
    """When the supervisor, and what it called, have finished."""
    assert poll.until(lambda: not engine.state(name)["Running"] and not any("containers/" in path for path in engine.files()["run"]), timeout=15)
    return engine.state(name)


def test_a_container_sees_itself_only(engine):
    engine.start(env={"A": "1"}, before=lambda: os.environ.update(SECRET="of the host"))
    script = """
        for kind in pid mnt uts ipc net cgroup; do readlink /proc/1/ns/$kind; done
        ls /proc | grep -c '^[0-9]'; ls /proc/1/fd | tr '\\n' ' '; echo; tr '\\0' '\\n' < /proc/1/environ | sort | tr '\\n' ' '; echo
        grep -E '^(CapEff|CapInh|CapAmb|Seccomp|SigIgn|SigBlk)' /proc/1/status | tr '\\t\\n' '  '; echo
        cat /proc/1/cgroup | cut -d: -f3 | sort -u | tr '\\n' ' '; echo
        ls /dev | tr '\\n' ' '; echo
        for path in /proc/kcore /proc/keys /proc/timer_list; do [ -c $path ] && echo masked; done
        cat /proc/1/oom_score_adj; touch /proc/sys/kernel/hostname 2>/dev/null || echo read-only; grep -c /upper /proc/1/mountinfo
    """
    lines = engine.read("web", script).splitlines()
    for kind, seen in zip(("pid", "mnt", "uts", "ipc", "net", "cgroup"), lines):
        assert seen != os.readlink("/proc/self/ns/" + kind)
    processes, fds, env, status, groups, devices = lines[6:12]
    assert int(processes) <= 8
    assert fds.split() == ["0", "1", "2"]
    assert env.split() == ["A=1", "FROM=image", "HOME=/root", "HOSTNAME=web", "PATH=/bin"]
    assert "CapInh: 0000000000000000" in status and "CapAmb: 0000000000000000" in status and "CapEff: 00000000a80425fb" in status
    assert "Seccomp: 2" in status and "SigIgn: 0000000000000000" in status and "SigBlk: 0000000000000000" in status
    assert groups.split() == ["/"]
    links = {"core", "fd", "ptmx", "stderr", "stdin", "stdout"}
    assert set(devices.split()) <= links | {"console", "full", "mqueue", "null", "pts", "random", "shm", "tty", "urandom", "zero"}
    assert lines.count("masked") >= 1 and "read-only" in lines


def test_nothing_of_the_module_process_reaches_a_container(engine):
    def hostile():
        for number in range(50, 90):
            os.dup2(os.open("/etc", os.O_RDONLY), number, inheritable=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        os.chdir("/etc")
        os.nice(5)
    engine.start(before=hostile)
    assert engine.read("web", "ls /proc/1/fd | tr '\\n' ' '; readlink /proc/1/cwd; grep -E 'SigIgn|SigBlk' /proc/1/status | cut -f2") == (
        "0 1 2 /\n0000000000000000\n0000000000000000")
    assert not engine.start(before=hostile).changed
    assert engine.ensure("web", state="absent", before=hostile).changed


def test_pid_1_of_init_buries_orphans(engine):
    engine.start(init=True, command=None, stop_signal=None)
    engine.read("web", "for n in 1 2 3 4; do (sleep 0.05 &) ; done; true")
    assert poll.until(lambda: engine.read("web", "ps | grep -c '[s]leep'; true") == "0", timeout=5)
    assert engine.ensure("web", state="stopped").changed
    assert engine.state("web")["ExitCode"] in (0, 143)


def test_who_takes_more_memory_than_allowed_is_killed_and_it_is_recorded(engine):
    engine.start(command=("/bin/sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done"), memory=16 << 20)
    found = ended(engine)
    assert (found["Status"], found["ExitCode"], found["OOMKilled"]) == ("exited", 137, True)


def test_more_processes_than_allowed_do_not_start(engine):
    engine.start(init=True, pids_limit=10, stop_signal=None, command=None)
    result = engine.exec("web", "/bin/sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; kill $(jobs -p); exit 3")
    assert b"fork" in result["stderr"]
    assert engine.read("web", "echo alive") == "alive"


def test_a_published_port_answers_everywhere_it_should_and_nowhere_else(engine):
    said = {"command": enginelab.SERVER, "published_ports": ["18080:8080", "192.0.2.1:18090:8080"]}
    engine.start(**said)
    vip = engine.find("web")["NetworkSettings"]["IPAddress"]

    def answers():
        return {
            "loopback": engine.lab.run(fetch, "127.0.0.1", 18080), "host": engine.lab.run(fetch, "192.0.2.1", 18080),
            "outside": engine.lab.run(fetch, "192.0.2.1", 18080, where=netlab.OUTSIDE),
            "outside, other address": engine.lab.run(fetch, "192.0.2.11", 18080, where=netlab.OUTSIDE),
            "bound": engine.lab.run(fetch, "192.0.2.1", 18090, where=netlab.OUTSIDE),
        }
    assert engine.lab.run(fetch, vip, 18080) == "hello\n"
    assert set(answers().values()) == {"hello\n"}
    assert engine.lab.run(fetch, "192.0.2.11", 18090, where=netlab.OUTSIDE) != "hello\n"
    assert engine.lab.run(fetch, "127.0.0.1", 18090) != "hello\n"
    assert engine.lab.run(fetch, vip, 8080, where=netlab.OUTSIDE) != "hello\n"
    engine.start(**said, state="stopped")
    assert "hello\n" not in answers().values()
    engine.start(**said)
    assert set(answers().values()) == {"hello\n"}
    engine.start(**dict(said, published_ports=["18080:8080", "18070:8080"]))
    assert engine.lab.run(fetch, "192.0.2.1", 18070, where=netlab.OUTSIDE) == "hello\n"
    assert engine.lab.run(fetch, "192.0.2.1", 18090, where=netlab.OUTSIDE) != "hello\n"


def test_udp_is_published_too(engine):
    engine.start(published_ports=["15353:5353/udp"])
    echo = "import socket\ns = socket.socket(2, 2)\ns.bind(('', 5353))\nprint(flush=True)\nd, a = s.recvfrom(99)\ns.sendto(d, a)"
    netns = engine.lab.run(lambda: open_host(engine.home, dry_run=True).netns("web"))
    server = engine.lab.spawn([sys.executable, "-c", echo], where=netns, stdout=subprocess.PIPE)    # busybox has no such thing
    server.stdout.readline()

    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(b"over udp", ("192.0.2.1", 15353))
            return sock.recv(100)
    assert engine.lab.run(ask, where=netlab.OUTSIDE) == b"over udp"
    engine.lab.end(server)


@pytest.mark.parametrize("script,code", [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 0)])
def test_a_container_that_ends_by_itself_gives_back_its_network_and_says_how_it_ended(engine, script, code):
    said = {"command": ("/bin/sh", "-c", "echo out; echo err >&2; sleep 0.1; " + script), "published_ports": ["18080:8080"]}
    engine.start(**said)
    found = ended(engine)
    assert (found["Status"], found["ExitCode"], found["OOMKilled"]) == ("exited", code, False)
    left = engine.snapshot()
    assert (left["pins"], left["cgroups"]) == ("", [])
    assert "18080" not in left["rules"] and "eth" not in left["links"]
    with open(engine.find("web")["LogPath"]) as log:
        assert [json.loads(line)["log"] for line in log] == ["out\n", "err\n"]
    again = engine.start(**said)
    assert again.plan["action"] == "start"
    ended(engine)


def test_a_container_that_ends_while_a_task_looks_is_never_guessed_at(engine):
    for _round in range(5):
        engine.start(command=("/bin/true",), network_mode="none")
        found = engine.run(lambda host: observe.container(host, "web"))
        assert found.is_running or found.exit.exit_code == 0
        engine.ensure("web", state="absent")


def test_two_stores_of_one_host_never_meet(engine, tmp_path):
    other = enginelab.Engine(engine.lab, str(tmp_path / "other"))
    engine.lab.run(other.layout.ensure)
    engine.lab.run(enginelab.make_store, other.home)
    engine.start(published_ports=["18080:8080"])
    with pytest.raises(Exception, match="the networks of this host are those of the store %s" % engine.home):
        other.start()
    other.start(network_mode="none")
    assert other.state("web")["Pid"] != engine.state("web")["Pid"]
    other.ensure("web", state="absent")
    assert engine.read("web", "echo alive") == "alive"
    assert not engine.start(published_ports=["18080:8080"]).changed
    engine.remove_all()
    other.start()
    other.remove_all()
    engine.lab.call("rm", "-rf", other.layout.run)

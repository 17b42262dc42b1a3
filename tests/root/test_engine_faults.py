# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that do not want to end, numbers that somebody else has by now, a full disk, another version of the engine, many restarts."""
from __future__ import annotations

import json
import os
import pathlib
import pickle
import shutil
import signal
import sys
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins"


def running(engine, name="web"):
    return engine.run(lambda host: observe.container(host, name)).running


def within(seconds, action):
    began = time.monotonic()
    action()
    assert time.monotonic() - began < seconds


def freeze(engine):
    groups = running(engine).cgroups
    engine.lab.run(lambda: factory.from_paths(groups).freeze())


def halt(engine):
    engine.lab.run(os.kill, running(engine).pid, signal.SIGSTOP)


DEAF = ("/bin/sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done")


@pytest.mark.parametrize("state", ["stopped", "absent"])
@pytest.mark.parametrize("how", ["frozen", "halted", "deaf"])
def test_whoever_does_not_listen_is_ended_all_the_same(engine, how, state):
    engine.start(command=DEAF if how == "deaf" else enginelab.SLEEP, stop_signal=int(signal.SIGTERM), stop_timeout=1)
    {"frozen": freeze, "halted": halt, "deaf": lambda engine: None}[how](engine)
    within(5, lambda: engine.ensure("web", state=state))
    assert (engine.state("web") or {"Running": False})["Running"] is False


@pytest.mark.parametrize("said,script", [
    ({"pids_limit": 60}, "bomb() { bomb | bomb & }; bomb"),
    ({}, "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); (true &); done"),      # nobody buries them: PID 1 is a sleep
    ({"init": True}, "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); (true &); done"),
], ids=["bomb", "zombies", "orphans"])
def test_crowds_are_held_and_removed(engine, said, script):
    engine.start(**said)
    engine.exec("web", "/bin/sh", "-c", script, timeout=30)
    if "pids_limit" in said:
        within(5, lambda: engine.start("other", network_mode="none"))
    within(10, lambda: engine.ensure("web", state="absent"))


def test_a_number_that_another_process_has_by_now_is_never_signalled(engine):
    engine.start(network_mode="none")
    found = running(engine)

    def stand_in():
        """A process of the host's with the number that is on record."""
        os.kill(found.supervisor_pid, signal.SIGKILL)
        for pid in (found.pid, found.supervisor_pid):
            poll.until(lambda pid=pid: not os.path.exists("/proc/%d" % pid), timeout=10)
        for _attempt in range(200):
            with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                file.write(str(found.pid - 1))
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            if child == found.pid:
                return child
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return 0

    pid = stand_in()
    if not pid:
        pytest.skip("numbers of processes cannot be chosen here")
    try:
        assert engine.state("web")["Status"] == "exited"
        engine.ensure("web", state="stopped")
        engine.start(network_mode="none")
        engine.ensure("web", state="absent")
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


RESTARTS = 15


def test_many_restarts_leave_nothing(engine):
    said = {"published_ports": ["18080:8080"], "env": {"A": "1"}}
    engine.start(**said)
    before = held(engine)
    for _round in range(RESTARTS):
        assert engine.start(restart=True, **said).plan["action"] == "restart"
    assert held(engine) == before


def held(engine):
    """But for the addresses of links, which are new ones each time."""
    found = engine.snapshot()
    return {key: found[key] for key in ("home", "run", "cgroups")}


@pytest.fixture
def small(engine, tmp_path):
    """A store that has a few megabytes beside what it holds."""
    home = str(tmp_path / "small")
    os.mkdir(home)
    engine.lab.call("mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", home)
    found = enginelab.Engine(engine.lab, home)
    try:
        engine.lab.run(lambda: Layout(home).ensure())
        engine.lab.run(enginelab.make_store, home)
        found.start("first", command=("/bin/true",), network_mode="none")
        found.ensure("first", state="absent")
        with enginelab.clean(found):
            yield found
    finally:
        engine.lab.call("umount", home)
        engine.lab.run(shutil.rmtree, Layout(home).run)


def fill(engine, *, free):
    """Until only `free` bytes are left."""
    def write():
        with open(os.path.join(engine.home, "filler"), "wb") as file:
            left = os.statvfs(engine.home)
            os.posix_fallocate(file.fileno(), 0, max(1, left.f_bavail * left.f_bsize - free))
    engine.lab.run(write)


@pytest.mark.parametrize("have", [False, True], ids=["new", "changed"])
def test_a_full_disk_fails_whole_and_the_next_run_converges(small, have):
    said = {"env": {"A": "2"}, "published_ports": ["18080:8080"]}
    failed = 0
    for pages in (0, 1, 2, 4, 8, 16):
        if have:
            small.start(**{**said, "env": {"A": "1"}})
            small.read("web", "echo kept > /kept")
        fill(small, free=pages * 4096)
        try:
            small.start(**said)
        except (CockerError, OSError) as error:
            failed += 1
            assert "No space left" in str(error) or "ENOSPC" in str(error), error
        finally:
            small.lab.run(os.unlink, os.path.join(small.home, "filler"))
        small.start(**said)
        assert not small.start(**said).changed
        assert small.read("web", "echo $A; cat /kept 2>/dev/null; true") == ("2\nkept" if have else "2")
        small.ensure("web", state="absent")
        small.network("cocker0", "absent")
    assert failed > 1


TASK = """
import pickle, sys
sys.path[:0] = [{tree!r}]
from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, exec
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
containers.ensure(open_host({home!r}, dry_run=False), pickle.loads(bytes.fromhex({wish!r})))
"""


@pytest.fixture
def newer(engine, tmp_path):
    """Another version of the engine, which differs in what launchers and supervisors run."""
    plugins = tmp_path / "tree" / "ansible_collections" / "cocker" / "engine" / "plugins"
    shutil.copytree(PLUGINS / "module_utils", plugins / "module_utils", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("init/supervisor.py", "runtime/child.py", "engine/containers.py"):
        with open(plugins / "module_utils" / name, "a") as file:
            file.write("\nNEWER = True\n")

    def ensure(name, **said):
        wish = pickle.dumps(enginelab.wish(name, **said)).hex()
        task = tmp_path / "task.py"
        task.write_text(TASK.format(tree=str(tmp_path / "tree"), home=engine.home, wish=wish))
        engine.lab.call(sys.executable, "-B", str(task))
    return ensure


WEB = {"images": ("box",), "command": enginelab.SLEEP, "published_ports": ["18080:8080"], "restart_policy": "always"}


def test_containers_of_an_older_engine_go_on_under_a_newer_one(engine, newer):
    engine.start(**WEB)
    before = running(engine)
    newer("web", **WEB)
    newer("web", **WEB, labels={"a": "b"}, memory=64 << 20)
    assert running(engine).pid == before.pid
    assert engine.read("web", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max") == str(64 << 20)
    newer("web", **WEB, state="stopped")
    assert engine.state("web")["Status"] == "exited"
    newer("web", **WEB, state="started")
    assert engine.state("web")["Running"]
    assert not engine.start(**WEB).changed          # and back
    newer("web", state="absent")
    assert engine.find("web") is None


def test_a_record_of_the_first_version_is_read_and_kept(engine):
    engine.start(**WEB)
    with open(engine.layout.spec("web")) as file:
        record = json.load(file)
    old = {key: record[key] for key in ("schema", "id", "created", "spec", "pins", "config")}
    with open(engine.layout.spec("web"), "w") as file:
        json.dump(old, file)
    assert not engine.start(**WEB).changed
    assert engine.start(**WEB, env={"A": "1"}).plan["action"] == "restart"
    assert engine.read("web", "echo $A") == "1"
    with open(engine.layout.spec("web"), "w") as file:
        json.dump({**old, "schema": 99}, file)
    with pytest.raises(CockerError, match="written by a later version"):
        engine.start(**WEB)
    with open(engine.layout.spec("web"), "w") as file:
        json.dump(old, file)

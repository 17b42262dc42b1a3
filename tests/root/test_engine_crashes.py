# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the module's process, of a supervisor, and of the whole host: whoever comes next makes it whole."""
from __future__ import annotations

import collections
import os
import pickle
import signal
import sys

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = pytest.mark.root

OPTIONS = {"env": {"A": "1"}, "published_ports": ["18080:8080"]}


def killed(operation, point, **where):
    """Whether the point was reached, and the process so killed."""
    try:
        operation(before=enginelab.dying(point, **where))
    except netlab.LabError as error:
        assert "died without an answer" in str(error)
        return True
    return False


# What changes the host or the disk; `killed` says whether an operation came by.
POINTS = (
    "storage.records.write", "kernel.fs.write_atomic", "kernel.namespaces.pin_netns", "network.bridge.ensure", "network.leases.save",
    "network.endpoint.attach", "kernel.nft.run", "kernel.nftbatch.run", "runtime.launcher._spawn", "runtime.launcher.Launcher.start", "kernel.namespaces.unpin",
    "kernel.fs.remove_tree", "storage.snapshots._make_layer", "storage.snapshots.drop_previous", "engine.teardown._remove_cgroup",
    "kernel.process.signal", "storage.records.remove",
)


def each_kill(operation):
    """Before each call of each point, as long as there are calls; after the last one, too."""
    for point in POINTS:
        for nth in range(1, 20):
            killer = Killer("%s %d" % (point, nth), operation, point, nth=nth)
            yield killer
            if not killer.reached:
                break
        if nth > 1:
            yield Killer("after %s %d" % (point, nth - 1), operation, point, nth=nth - 1, after=True)


class Killer:
    def __init__(self, what, operation, point, **where):
        self.what, self.reached, self._call = what, False, (operation, point, where)

    def __call__(self):
        operation, point, where = self._call
        self.reached = killed(operation, point, **where)
        return self.reached


def test_a_create_that_is_killed_anywhere_is_undone_or_finished(engine):
    def create(before=lambda: None, **more):
        return engine.start(before=before, **OPTIONS, **more)
    empty = engine.snapshot()
    reached = 0
    for kill in each_kill(create):
        if not kill():
            engine.ensure("web", state="absent")
            engine.network("cocker0", "absent")
            continue
        reached += 1
        if reached % 2:
            create()
            assert not create().changed, kill.what
            assert engine.read("web", "echo $A") == "1", kill.what
        engine.ensure("web", state="absent")
        engine.network("cocker0", "absent")
        assert engine.snapshot() == empty, kill.what
    assert reached > 15


def test_a_replacement_that_is_killed_anywhere_is_the_old_or_the_new(engine):
    def recreate(before=lambda: None, **more):
        return engine.start(images=("box", "top"), before=before, env={"A": "2"}, published_ports=["18080:8080"], **more)
    reached = 0
    for kill in each_kill(recreate):
        engine.start(**OPTIONS)
        engine.read("web", "echo mine > /kept")
        if not kill():
            continue
        reached += 1
        found = engine.run(lambda host: observe.container(host, "web"))
        if found.record.spec.env == {"A": "1"}:
            engine.start(**OPTIONS)
            assert engine.read("web", "cat /kept; echo $A") == "mine\n1", kill.what
        else:
            assert engine.exec("web", "/bin/ls", "/kept")["rc"] == 1, kill.what
        foreseen = recreate(check=True)
        done = recreate()
        assert (foreseen.actions, foreseen.plan) == (done.actions, done.plan), kill.what
        assert not recreate().changed, kill.what
        assert engine.read("web", "ls /kept 2>/dev/null; echo $A") == "2", kill.what
        assert [path for path in engine.files()["home"] if "previous" in path or "dropped" in path or "intents/" in path] == [], kill.what
    assert reached > 15


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_a_stop_or_removal_that_is_killed_anywhere_is_finished_by_the_next(engine, state):
    def end(before=lambda: None, **more):
        return engine.ensure("web", before=before, state=state, **more)
    empty = engine.snapshot()
    reached = 0
    for kill in each_kill(end):
        engine.start(**OPTIONS)
        if not kill():
            continue
        reached += 1
        end()
        assert not end().changed, kill.what
        engine.ensure("web", state="absent")
        engine.network("cocker0", "absent")
        assert engine.snapshot() == empty, kill.what
    assert reached > 8


SYSTEM_CALLS = "mkdir,rename,unlink,fsync,fchmod,mount,umount2,unshare,setns,sendto,sendmsg,pidfd_send_signal"
TASK = """
import pickle, sys
sys.path[:0] = [{tree!r}]
from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
containers.ensure(open_host({home!r}, dry_run=False), pickle.loads(bytes.fromhex({wish!r})))
"""


@pytest.mark.parametrize("have,said", [({}, OPTIONS), (OPTIONS, dict(OPTIONS, env={"A": "2"}, recreate=True)), (OPTIONS, {"state": "absent"})],
                         ids=["create", "recreate", "absent"])
def test_a_kill_at_a_system_call_is_made_good(engine, tmp_path, have, said):
    """Some calls of each kind, by strace: what no list of our own functions can forget."""
    wish = enginelab.wish("web", images=("box",), command=enginelab.SLEEP, **said)
    task, log = str(tmp_path / "task.py"), str(tmp_path / "log")
    with open(task, "w") as file:
        file.write(TASK.format(tree=enginelab.TREE, home=engine.home, wish=pickle.dumps(wish).hex()))
    traced = ("strace", "-o", log, "-e", "trace=" + SYSTEM_CALLS)
    empty = engine.snapshot()
    if have:
        engine.start(**have)
    engine.lab.call(*traced, sys.executable, "-B", task)
    with open(log) as file:
        calls = collections.Counter(line.partition("(")[0] for line in file if "(" in line)
    for call, nth in [(name, number) for name in sorted(calls) for number in range(2, calls[name] + 1, 11)]:
        engine.remove_all()
        if have:
            engine.start(**have)
        engine.lab.call(*traced, "-e", "inject=%s:signal=KILL:when=%d" % (call, nth), sys.executable, "-B", task, check=False)
        if nth % 4:
            engine.start(**{**OPTIONS, "env": {"A": "3"}})
            assert engine.read("web", "echo $A") == "3", (call, nth)
        engine.ensure("web", state="absent")
        engine.remove_all()
        assert engine.snapshot() == empty, (call, nth)


def test_a_network_whose_making_is_killed_anywhere_leaves_no_bridge(engine):
    def create(before=lambda: None):
        return engine.network("web0", subnet="10.66.1.0/24", before=before)
    empty = engine.snapshot()
    reached = 0
    for kill in each_kill(create):
        if not kill():
            engine.network("web0", "absent")
            continue
        reached += 1
        if reached % 2:
            create()
            assert not create().changed, kill.what
        engine.network("web0", "absent")
        assert engine.snapshot() == empty, kill.what
    assert reached > 5


def wait_until(predicate):
    assert poll.until(predicate, timeout=10.0)


def test_a_supervisor_that_is_killed_takes_its_container_along_and_the_exit_code_is_255(engine):
    engine.start(**OPTIONS)
    state = engine.run(lambda host: observe.container(host, "web")).running
    os.kill(state.supervisor_pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists("/proc/%d" % state.pid))
    found = engine.state("web")
    assert (found["Status"], found["ExitCode"], found["Running"]) == ("exited", 255, False)
    assert engine.start(**OPTIONS).plan["action"] == "start"
    assert engine.read("web", "echo $A") == "1"
    assert not engine.start(**OPTIONS).changed


def test_a_supervisor_that_is_killed_leaves_a_container_that_can_be_removed_at_the_first_try(engine):
    engine.start(**OPTIONS)
    state = engine.run(lambda host: observe.container(host, "web")).running
    os.kill(state.supervisor_pid, signal.SIGKILL)
    assert engine.ensure("web", state="absent").changed


def reboot(engine):
    """Every process of containers is killed at once, what is volatile is gone; the disk is as it was."""
    def down():
        for name in engine.layout.container_names():
            running = observe.container(recovery_host(), name).running
            if running:
                os.kill(running.supervisor_pid, signal.SIGKILL)
                wait_until(lambda pid=running.pid: not os.path.exists("/proc/%d" % pid))

    def recovery_host():
        return open_host(engine.home, dry_run=True)

    engine.lab.run(down)
    script = ("for pin in /run/netns/nns*; do umount $pin; rm -f $pin; done; rm -rf /run/cocker; nft flush ruleset;"
              "for link in $(ls /sys/class/net); do case $link in eth*|cocker0|web0) ip link del $link;; esac; done;"
              "find /sys/fs/cgroup/*/cocker -mindepth 1 -depth -type d -name '*%s' -exec rmdir {} +")
    mark = engine.lab.run(lambda: recovery_host().kernel_name("x"))[1:]
    engine.lab.call("sh", "-c", script % mark)


def test_after_a_reboot_records_and_leases_are_kept_and_a_start_makes_the_rest_again(engine):
    engine.network("web0", subnet="10.66.1.0/24")
    engine.start("first", **OPTIONS)
    engine.start("second", networks=(Attachment("web0"),), published_ports=["18081:8080"])
    engine.start("never", state="present")
    address = engine.find("second")["NetworkSettings"]["IPAddress"]
    reboot(engine)
    assert engine.state("never")["Status"] == "created"
    assert (engine.state("second")["Status"], engine.state("second")["ExitCode"]) == ("exited", 255)
    third = engine.start("third", published_ports=["18080:8080"])       # the port of one that does not run any more
    assert third.changed
    engine.ensure("third", state="absent")
    options = {"networks": (Attachment("web0"),), "published_ports": ["18081:8080"]}
    assert engine.start("second", check=True, **options).plan == engine.start("second", **options).plan
    assert engine.find("second")["NetworkSettings"]["IPAddress"] == address
    assert "web0" in engine.lab.call("ls", "/sys/class/net")
    assert engine.start("first", **OPTIONS).changed


def test_an_intent_that_cannot_be_read_does_no_harm(engine):
    engine.start(**OPTIONS)
    for content in ("", "{", '{"schema": 1}', "[]"):
        with open(engine.layout.intent("container", "web"), "w") as file:
            file.write(content)
        with open(engine.layout.intent("container", "nobody"), "w") as file:
            file.write(content)
        with open(engine.layout.intent("unheard-of", "x"), "w") as file:
            file.write(content)
        assert not engine.start(**OPTIONS).changed
        assert engine.read("web", "echo $A") == "1"
    os.unlink(engine.layout.intent("unheard-of", "x"))


def test_what_cannot_be_rolled_back_holds_up_nobody_else(engine):
    engine.start(state="present")
    place = engine.layout.container("web") + "/upper"
    engine.lab.run(lambda: intents.declare(engine.layout, "container", "web", {"action": "remove", "existed": True}))

    def mounted():
        netlab._libc.mount(b"tmpfs", place.encode(), b"tmpfs", 0, None)
    engine.lab.run(mounted)
    assert engine.start("other").changed
    with pytest.raises(Exception, match="is mounted"):
        engine.start()
    engine.lab.call("umount", place)


def test_a_start_whose_task_is_killed_while_the_launcher_works_is_met_at_once_by_the_next_task(engine):
    def one_after_the_other():
        child = os.fork()
        if not child:
            enginelab.dying("runtime.exchange.Exchange.send", after=True)()
            containers.ensure(open_host(engine.home, dry_run=False), wish)
        os.waitpid(child, 0)
        return containers.ensure(open_host(engine.home, dry_run=False), wish)

    wish = enginelab.wish("web", images=("box",), command=enginelab.SLEEP, **OPTIONS)
    for _round in range(8):
        engine.lab.run(one_after_the_other)
        assert engine.read("web", "echo $A") == "1"
        assert not engine.start(**OPTIONS).changed
        engine.ensure("web", state="absent")


@pytest.mark.parametrize("state", ["started", "present"])
def test_what_a_power_cut_must_not_take_is_on_the_disk_before_the_intent_goes(engine, state):
    def synced():
        real, found = fs.fsync_dir, []
        fs.fsync_dir = lambda path: (found.append(os.path.relpath(path, engine.home)), real(path))
        containers.ensure(open_host(engine.home, dry_run=False), enginelab.wish("web", images=("box",), command=enginelab.SLEEP, state=state))
        return found

    found = engine.lab.run(synced)
    assert found[0] == found[-1] == "intents" and "containers/web" in found
    assert ("leases" in found) == (state == "started")

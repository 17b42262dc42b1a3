# SPDX-License-Identifier: GPL-3.0-or-later
"""Several containers of one task at once: who waits hinders nobody, and what comes of it is what one after the other would have come to."""
from __future__ import annotations

import contextlib
import os
import shutil
import signal
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, containers_together, lifecycle
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import Check
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import enginelab, netlab
from ansible_collections.cocker.engine.tests.root.test_engine_containers_together import ensure, member, words

pytestmark = pytest.mark.root

TOGETHER = {"mounts": (Mount("volume", "meeting", "/meeting"),)}
# Each says that it is there, and goes on when all are: one after the other never would.
MEET = "touch /meeting/$0; n=0; until [ $(ls /meeting | wc -l) -ge %d ]; do n=$((n + 1)); [ $n -lt 600 ] || exit 3; sleep 0.05; done; "


def meeting(count: int, then: str = "", before: str = "") -> t.Dict[str, t.Any]:
    return {**TOGETHER, "command": ("/bin/sh", "-c", before + MEET % count + then)}


def named(name: str, needs: t.Sequence[str] = (), **said: t.Any) -> t.Any:
    command = (*said.pop("command"), name)
    return member(name, needs, command=command, **said)


@pytest.fixture(autouse=True)
def meeting_place(engine: enginelab.Engine) -> t.Iterator[None]:
    engine.volume("meeting")
    yield
    engine.remove_all()
    engine.volume("meeting", state="absent")


def test_those_that_end_wait_for_each_other(engine: enginelab.Engine) -> None:
    """A stop takes as long as the container wants."""
    said = {**TOGETHER, "command": ("/bin/sh", "-c", "trap '%s exit 5' TERM; touch /tmp/up; while :; do sleep 0.05; done" % (MEET % 4)),
            "stop_timeout": 30, "stop_signal": int(signal.SIGTERM)}
    names = ["a", "b", "c", "d"]
    assert set(words(ensure(engine, *[named(name, **said) for name in names])).values()) == {"create"}
    for name in names:
        engine.read(name, "until [ -e /tmp/up ]; do sleep 0.05; done")
    assert set(words(ensure(engine, *[named(name, **said, state="stopped") for name in names])).values()) == {"stop"}
    assert [engine.state(name)["ExitCode"] for name in names] == [5] * 4


def test_the_first_task_on_a_host_makes_several(engine: enginelab.Engine) -> None:
    """All that there is are images: nobody has installed what containers are started by."""
    engine.run(lambda host: [shutil.rmtree(path) for path in (host.layout.engine, host.layout.intents, host.layout.locks)])
    assert words(ensure(engine, *[member(name, command=enginelab.SLEEP) for name in ("a", "b", "c")])) == dict.fromkeys("abc", "create")


def test_those_that_become_healthy_wait_for_each_other(engine: enginelab.Engine) -> None:
    healthy = Check(("CMD-SHELL", "[ $(ls /meeting | wc -l) -ge 3 ]"), interval=10**8, timeout=10**10, retries=1000)
    said = {**TOGETHER, "command": ("/bin/sh", "-c", "touch /meeting/$0; sleep 1000"), "healthcheck": healthy, "state": "healthy",
            "healthy_within": 60.0}
    members = [named(name, **said) for name in ("a", "b", "c")]
    assert words(ensure(engine, *members)) == dict.fromkeys("abc", "create")
    assert words(ensure(engine, *members)) == dict.fromkeys("abc", "none")


def test_those_that_the_task_stays_with_wait_for_each_other(engine: enginelab.Engine) -> None:
    members = [named(name, **meeting(3, "echo $0; exit 4"), detach=False) for name in ("a", "b", "c")]
    done = ensure(engine, *members)
    assert [(done[name].result["rc"], done[name].result["stdout"]) for name in "abc"] == [(4, b"%s\n" % name.encode()) for name in "abc"]


def test_many_are_what_one_after_the_other_makes(engine: enginelab.Engine) -> None:
    engine.network("web0", subnet="10.66.1.0/24")
    members = [member("web%02d" % number, ["web%02d" % (number - 7)] if number % 7 == 6 and number > 7 else (), network_mode=None,
                      networks=(Attachment("web0"),), published_ports=["80"], **TOGETHER) for number in range(24)]
    foreseen, done = ensure(engine, *members, check=True), ensure(engine, *members)
    assert [(each.plan, each.actions, each.diff) for each in foreseen.values()] == [(each.plan, each.actions, each.diff) for each in done.values()]
    shown = [each.result["container"]["NetworkSettings"] for each in done.values()]
    assert len({each["IPAddress"] for each in shown}) == 24
    assert len({each["Ports"]["80/tcp"][0]["HostPort"] for each in shown}) == 24
    hosts = engine.read("web00", "cat /etc/hosts")
    assert all(" web%02d" % number in hosts.replace("\t", " ") for number in range(24)), hosts
    assert set(words(ensure(engine, *members)).values()) == {"none"}
    gone = [member(each.wish.spec.name, each.needs, state="absent") for each in members]
    assert set(words(ensure(engine, *gone)).values()) == {"remove"}


def test_who_wants_what_another_one_gives_up_gets_it(engine: enginelab.Engine) -> None:
    """Whatever their order is, and whoever is quicker."""
    def pair(first: str, second: str) -> t.List[t.Any]:
        return [member("new", network_mode=None, published_ports=[first]), member("old", network_mode=None, published_ports=[second])]

    ensure(engine, pair("18081:80", "18080:80")[1])
    assert words(ensure(engine, *pair("18080:80", "18082:80"))) == {"new": "create", "old": "update"}


def test_who_names_an_address_gets_it(engine: enginelab.Engine) -> None:
    engine.network("web0", subnet="10.66.1.0/24")
    said = {"network_mode": None}
    members = [member("b", networks=(Attachment("web0", "10.66.1.3"),), **said), member("a", networks=(Attachment("web0", "10.66.1.2"),), **said),
               *[member("c%d" % number, networks=(Attachment("web0"),), **said) for number in range(4)]]
    assert set(words(ensure(engine, *members)).values()) == {"create"}


def test_who_looks_at_another_one_sees_it_as_it_will_be(engine: enginelab.Engine) -> None:
    engine.start("a", network_mode="none")
    members = [member("a", **TOGETHER), member("b", volumes_from=(("a", True),)), member("c")]
    assert words(ensure(engine, *members)) == {"a": "restart", "b": "create", "c": "create"}
    assert engine.read("b", "grep ' /meeting ' /proc/mounts").startswith("/")
    assert words(ensure(engine, *members)) == dict.fromkeys("abc", "none")


def test_a_process_that_is_killed_takes_one_along(engine: enginelab.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run has nothing to clear up by hand."""
    members = [member(name) for name in ("a", "b", "c", "d")]
    task, real = os.getpid(), containers.ensure

    def deadly(host: t.Any, wish: t.Any) -> t.Any:
        if wish.spec.name == "b" and os.getpid() != task:
            with monkeypatch.context() as patch:
                patch.setattr(lifecycle, "_launch", lambda *_args: os.kill(os.getpid(), signal.SIGKILL))
                return real(host, wish)
        return real(host, wish)

    with monkeypatch.context() as patch:
        patch.setattr(containers_together.containers, "ensure", deadly)
        done = words(ensure(engine, *members))
    assert "without a word" in done.pop("b")
    assert done == dict.fromkeys("acd", "create")
    assert words(ensure(engine, *members)) == {"a": "none", "b": "create", "c": "none", "d": "none"}


@pytest.mark.parametrize("state", ["started", "absent"])
def test_a_task_that_is_killed_in_the_middle_is_finished_by_the_next(engine: enginelab.Engine, state: str) -> None:
    """Its processes end with it, wherever they are."""
    names = ["a", "b", "c", "d", "e", "f"]
    members = [member(name, network_mode=None, published_ports=["80"], **TOGETHER) for name in names]
    wanted = members if state == "started" else [member(name, state=state) for name in names]
    for milliseconds in (15, 50, 110, 250):
        ensure(engine, *members)
        if state == "started":
            ensure(engine, *[member(name, state="absent") for name in names])
        with contextlib.suppress(netlab.LabError):
            ensure(engine, *wanted, before=lambda after=milliseconds / 1000: signal.setitimer(signal.ITIMER_REAL, after))
        done = words(ensure(engine, *wanted))
        assert set(done.values()) <= {"create", "start", "remove", "none"}, done
        assert set(words(ensure(engine, *wanted)).values()) == {"none"}

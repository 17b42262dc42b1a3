# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers whose root is nobody on the host: what they are inside and outside, what they own, and that nothing on the disk tells."""
from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import copy, images, maintenance
from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts as kernel_mounts, poll, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CopyWish, ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import idranges

pytestmark = pytest.mark.root

SCRIPT = ("/bin/sh", "-c", "echo up; sleep 1000")


def ids(pid):
    with open("/proc/%d/status" % pid) as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return fields["Uid"].split("\t")[0], fields["Gid"].split("\t")[0]


def outside(engine, name="web"):
    """Who its first process is on the host."""
    pid = engine.state(name)["Pid"]
    return engine.lab.run(ids, pid)


def first(engine, name="web"):
    return engine.run(lambda host: idranges.find(host.layout, name))


@pytest.mark.parametrize("init", [False, True])
def test_root_inside_is_nobody_outside(engine, init):
    foreseen = engine.start(userns_mode="auto", init=init, check=True)
    started = engine.start(userns_mode="auto", init=init)
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (started.plan, started.actions, started.diff)
    assert not engine.start(userns_mode="auto", init=init).changed
    number = first(engine)
    assert outside(engine) == (str(number), str(number))
    assert engine.read("web", "id -u; id -g; cat /proc/self/uid_map | tr -s ' '").split("\n") == ["0", "0", " 0 %d 65536" % number]
    assert engine.read("web", "touch /new; chown 5:6 /new; stat -c %u:%g /new /etc /bin/busybox /dev/null /etc/hosts") \
        == "5:6\n0:0\n0:0\n0:0\n0:0"
    upper = os.path.join(engine.layout.container("web"), "upper")
    found = os.lstat(os.path.join(upper, "new"))
    assert (found.st_uid, found.st_gid) == (5, 6)       # as in every other container


def test_it_can_do_in_its_namespaces_what_root_does_and_nothing_to_the_host(engine):
    engine.start(userns_mode="auto", published_ports=["18080:80"], capabilities=("SYS_ADMIN", "NET_ADMIN"))
    assert engine.read("web", "ip addr add 10.9.9.9/32 dev lo; ip addr | grep -c 10.9.9.9") == "1"
    assert engine.read("web", "su web -s /bin/sh -c 'id -u' 2>&1; echo hi > /tmp/x; cat /tmp/x") == "1000\nhi"
    assert engine.exec("web", "/bin/mknod", "/node", "c", "1", "3")["rc"] == 1
    assert engine.exec("web", "/bin/chroot", "/proc/1/root", "/bin/true")["rc"] == 0
    assert engine.read("web", "httpd -p 80 -h /www; wget -q -O - http://127.0.0.1/index.html") == "hello"


@pytest.mark.parametrize("mode", ["none", "custom", "host"])
def test_networks_of_its_own_are_its_own(engine, mode):
    engine.start(userns_mode="auto", network_mode=mode, capabilities=("NET_ADMIN",))
    assert engine.exec("web", "/bin/ip", "addr", "add", "10.9.9.9/32", "dev", "lo")["rc"] == (2 if mode == "host" else 0)
    assert not engine.start(userns_mode="auto", network_mode=mode, capabilities=("NET_ADMIN",)).changed


def test_another_networks_owner_is_another(engine):
    engine.start("other", userns_mode="auto")
    engine.start(userns_mode="auto", network_mode="container:other")
    assert first(engine) != first(engine, "other")
    assert outside(engine) != outside(engine, "other")
    assert engine.read("web", "cat /proc/net/fib_trie | grep -c 10.166.88") != "0"


def test_volumes_hold_what_the_container_owns_and_tmpfs_is_its(engine, tmp_path):
    (tmp_path / "file").write_text("x")
    tmp_path.chmod(0o755)
    mounts = (
        Mount("bind", str(tmp_path), "/host"), Mount("bind", str(tmp_path), "/mapped", flags=("idmap",)),
        Mount("tmpfs", "", "/fast", flags=("uid=7",)), Mount("volume", "data", "/www"),
    )
    engine.start(userns_mode="auto", mounts=mounts)
    assert engine.read("web", "stat -c %u:%g /host/file /mapped/file /fast /www/index.html /dev /dev/pts/0 2>/dev/null; true").split() \
        == ["65534:65534", "0:0", "7:0", "0:0", "0:0"]
    engine.read("web", "touch /www/mine; chown 1000:1000 /www/mine; touch /mapped/mine; ! touch /host/mine 2>/dev/null")
    assert os.stat(os.path.join(engine.layout.volume_data("data"), "mine")).st_uid == 1000
    assert (tmp_path / "mine").stat().st_uid == 0
    engine.ensure("web", state="absent")
    engine.start(mounts=mounts[3:])        # another container, without a namespace, sees the same owners
    assert engine.read("web", "stat -c %u:%g /www/mine") == "1000:1000"


def test_a_change_to_and_from_it_keeps_what_was_written(engine):
    engine.start()
    engine.read("web", "echo kept > /kept; chown 1000:1000 /kept")
    assert engine.start(userns_mode="auto").plan["action"] == "restart"
    assert engine.read("web", "cat /kept; stat -c %u /kept") == "kept\n1000"
    engine.read("web", "echo more >> /kept")
    assert engine.start().plan["action"] == "restart"
    assert engine.read("web", "cat /kept; stat -c %u /kept; touch /root-again; stat -c %u /root-again") == "kept\nmore\n1000\n0"


def test_check_mode_foresees_it_without_a_process_or_a_mount(engine, tmp_path):
    def forbid():
        def forbidden(*_args, **_named):
            raise AssertionError("in check mode")
        for module, name in ((userns, "make"), (userns, "show_mapped"), (kernel_mounts, "open_tree"), (os, "fork")):
            setattr(module, name, forbidden)

    said = {"userns_mode": "auto", "mounts": (Mount("bind", str(tmp_path), "/host", flags=("idmap",)),)}
    foreseen, done = engine.start(**said, check=True, before=forbid), engine.start(**said)
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (done.plan, done.actions, done.diff)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("path", ["/sys/fs", "/dev/pts"])
def test_a_file_system_that_cannot_show_other_owners(engine, check, path):
    with pytest.raises(Unsupported, match="the file system of %s cannot show other owners" % path):
        engine.start(userns_mode="auto", mounts=(Mount("bind", path, "/host", flags=("idmap",)),), check=check)


def test_a_map_of_ones_own(engine):
    maps = {"uidmap": idmap.parse(["0:500000:1000", "1000:700000:10"], "uidmap"), "gidmap": idmap.parse(["0:600000:3000"], "gidmap")}
    engine.start(user="web", **maps)
    assert outside(engine) == ("700000", "601000")
    assert not engine.start(user="web", **maps).changed
    assert engine.read("web", "id -u") == "1000"
    with pytest.raises(Exception, match="5000 is not among the ids of the container's user namespace"):
        engine.start(user="5000", **maps)
    assert engine.start(**maps).plan["action"] == "restart"
    assert outside(engine) == ("500000", "600000")
    assert engine.start(uidmap=maps["uidmap"], gidmap=maps["uidmap"]).plan["action"] == "restart"
    assert outside(engine) == ("500000", "500000")


def test_users_terminals_logs_health_restarts_and_commits(engine):
    engine.start(userns_mode="auto", user="web", command=SCRIPT, restart_policy="always")
    assert engine.read("web", "id -u") == "1000"
    with_terminal = engine.exec("web", "/bin/sh", "-c", "tty; id -u; stat -c %u $(tty); echo x > $(tty)", tty=True)
    assert with_terminal["stdout"].decode().split() == ["/dev/pts/0", "1000", "1000", "x"]
    assert engine.exec("web", "/bin/id", "-u", user="root")["stdout"] == b"0\n"
    number = first(engine)
    assert outside(engine) == (str(number + 1000), str(number + 1000))
    before = engine.state("web")["Pid"]
    engine.lab.run(os.kill, before, signal.SIGKILL)
    assert poll.until(lambda: engine.state("web")["Pid"] not in (0, before), timeout=10)
    assert outside(engine) == (str(number + 1000), str(number + 1000))
    assert engine.read("web", "id -u; touch /tmp/again; stat -c %u /tmp/again") == "1000\n1000"


def test_a_check_of_its_health_runs_as_the_container_does(engine):
    engine.start(userns_mode="auto", user="web", healthcheck=Check(("CMD-SHELL", "cat /proc/self/uid_map; id -u"), interval=SECOND // 5))
    assert poll.until(lambda: engine.state("web")["Health"]["Log"], timeout=10)
    assert engine.state("web")["Health"]["Log"][0]["Output"].split() == ["0", str(first(engine)), "65536", "1000"]


def test_ranges_are_unique_and_go_with_their_containers(engine):
    for name in ("a", "b", "c"):
        engine.start(name, userns_mode="auto", network_mode="none")
    found = {name: first(engine, name) for name in ("a", "b", "c")}
    assert len(set(found.values())) == 3
    engine.ensure("b", state="absent")
    engine.start("d", userns_mode="auto", network_mode="none")
    assert first(engine, "d") == found["b"]
    engine.start("a", userns_mode="auto", network_mode="none", restart=True)
    assert first(engine, "a") == found["a"]


@pytest.mark.parametrize("said,error", [
    ({"userns_mode": "auto", "privileged": True}, "the host's own root"),
    ({"mounts": (Mount("bind", "/srv", "/srv", flags=("idmap",)),)}, "idmap is for a container with a user namespace"),
    ({"userns_mode": "auto", "mounts": (Mount("bind", "/proc", "/p", flags=("idmap",)),)}, "the file system of /proc cannot show other owners"),
])
def test_what_cannot_be_is_refused_before_anything_is_made(engine, said, error):
    for check in (True, False):
        with pytest.raises(Exception, match=error):
            engine.start(check=check, **said)
    assert engine.find("web") is None


def copied(engine, **said):
    return engine.run(lambda host: copy.ensure(host, CopyWish("web", **said)))


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_files_are_copied_with_the_owners_that_the_container_knows(engine, tmp_path, state):
    engine.start(userns_mode="auto")
    engine.read("web", "mkdir /out; echo o > /out/file; chown 1000:7 /out/file")
    engine.start(userns_mode="auto", state=state)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("in")
    os.chown(tmp_path / "tree" / "file", 33, 34)
    into = {"path": str(tmp_path / "tree"), "container_path": "/made/tree", "archive": False}
    assert copied(engine, **into).changed
    assert not copied(engine, **into).changed
    content = {"content": b"text", "container_path": "/made/text", "owner": "web", "mode": 0o640}
    assert copied(engine, **content).changed
    assert not copied(engine, **content).changed
    out = {"path": str(tmp_path / "out"), "container_path": "/out", "direction": "from_container", "archive": False}
    assert copied(engine, **out).changed
    assert not copied(engine, **out).changed
    facts = (tmp_path / "out" / "file").stat()
    assert (facts.st_uid, facts.st_gid, (tmp_path / "out").stat().st_uid) == (1000, 7, 0)
    engine.start(userns_mode="auto")
    assert engine.read("web", "stat -c %u:%g /made /made/tree /made/tree/file /made/text").split() == ["0:0", "0:0", "33:34", "1000:1000"]


def test_a_commit_has_the_owners_of_the_container(engine):
    engine.start(userns_mode="auto")
    engine.read("web", "echo x > /mine; chown 1000:7 /mine; mkdir /dir; rm /etc/group")
    wish = ImageWish("made", "1", source="container", from_container="web")
    engine.run(lambda host: images.ensure(host, wish))
    engine.start("other", images=("made:1",))
    assert engine.read("other", "stat -c %u:%g /mine /dir; ls /etc/group 2>/dev/null; true").split() == ["1000:7", "0:0"]
    engine.start("third", images=("made:1",), userns_mode="auto")
    assert engine.read("third", "stat -c %u:%g /mine /dir").split() == ["1000:7", "0:0"]
    for name in ("other", "third"):
        engine.ensure(name, state="absent")
    engine.run(lambda host: images.ensure(host, ImageWish("made", "1", state="absent")))


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_a_connection_writes_as_the_containers_users_and_runs_as_them(engine, state):
    engine.start(userns_mode="auto")
    engine.start(userns_mode="auto", state=state)
    request = {"home": engine.home, "container": "web", "path": "/tmp/put", "user": "web", "offset": 0}

    def put():
        with maintenance.rooted(request, writable=True) as (root, user):
            fd = maintenance.open_file(root, "/tmp/put", os.O_WRONLY | os.O_CREAT)
            os.fchown(fd, user.uid, user.gid)

    def run():
        script = "id -u; stat -c %u:%g /tmp/put; touch /tmp/ran; cat /proc/self/uid_map"
        said = {"args": ["/bin/sh", "-c", script], "env": {}, "cwd": "", "tools": "never"}
        output = os.memfd_create("output")
        os.dup2(output, 1)
        code = maintenance.run({**request, **said}, b"")
        return code, os.pread(output, 4096, 0).decode().split()

    engine.lab.run(put)
    if state == "stopped":
        code, output = engine.lab.run(run)
        assert (code, output) == (0, ["1000", "1000:1000", "0", str(first(engine)), "65536"])
        engine.start(userns_mode="auto")
        assert engine.read("web", "stat -c %u:%g /tmp/ran") == "1000:1000"
    assert engine.read("web", "stat -c %u:%g /tmp/put") == "1000:1000"


@pytest.mark.parametrize("init", [False, True])
def test_a_terminal_is_its_own(engine, init):
    engine.start(userns_mode="auto", network_mode="none", init=init, tty=True, command=("/bin/sh",))
    assert engine.read("web", "stat -c %u /dev/pts/0; echo hello > /dev/pts/0; ls /dev/pts").split() == ["0", "0", "ptmx"]
    assert engine.state("web")["Running"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces on the real kernel, each case in a child process."""
from __future__ import annotations

import os
import pathlib
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mountinfo, mounts, namespaces
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, KernelError
from ansible_collections.cocker.engine.tests.root import kernel_sandbox as sandbox

pytestmark = pytest.mark.root


def identity(proc: str) -> int:
    return os.stat("/proc/thread-self/ns/" + proc).st_ino


def links() -> t.List[str]:
    with open("/proc/thread-self/net/dev") as stream:
        return sorted(line.split(":")[0].strip() for line in stream.readlines()[2:])


@pytest.mark.parametrize("kind", ["cgroup", "ipc", "network", "uts"])
def test_block_runs_in_the_other_namespace_and_comes_back(kind: str) -> None:
    def action() -> t.List[bool]:
        proc, home = namespaces.KINDS[kind].proc, os.open("/proc/self/ns/" + namespaces.KINDS[kind].proc, os.O_RDONLY)
        first = identity(proc)
        namespaces.unshare(namespaces.KINDS[kind].flag)
        second = identity(proc)
        with namespaces.entered(home, kind):
            inside = identity(proc)
        return [inside == first, identity(proc) == second, first != second]

    assert sandbox.run(action, flags=0) == [True, True, True]


@pytest.mark.parametrize("kind", ["pid", "time"])
def test_children_of_the_block_are_in_the_other_namespace(kind: str) -> None:
    def action() -> t.List[bool]:
        proc = namespaces.KINDS[kind].proc
        first = identity(proc + "_for_children")
        reader, writer = os.pipe()
        parent = os.fork()
        if parent == 0:
            namespaces.unshare(namespaces.KINDS[kind].flag)
            child = os.fork()
            if child == 0:
                threading.Event().wait(30)
            os.write(writer, b"%d" % child)
            os.waitpid(child, 0)
            os._exit(0)
        child = int(os.read(reader, 20))
        fd = namespaces.open_of(child, kind)
        with namespaces.entered(fd, kind):
            inside = identity(proc + "_for_children")
        after = identity(proc + "_for_children")
        wanted = os.fstat(fd).st_ino
        os.kill(child, 9)
        os.waitpid(parent, 0)
        return [inside == wanted, after == first, wanted != first]

    assert sandbox.run(action, flags=0) == [True, True, True]


def test_mount_namespace_is_left_with_the_old_root_and_working_directory(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[t.Any]:
        mounts.mount("none", str(tmp_path), fstype="tmpfs")
        (tmp_path / "here").mkdir()
        other = namespaces.open_of("self", "mount")
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mounts.umount(str(tmp_path))
        (tmp_path / "there").mkdir()
        os.chdir(str(tmp_path / "there"))
        with namespaces.entered(other, "mount"):
            inside = os.listdir(str(tmp_path))
        return [inside, os.getcwd() == str(tmp_path / "there"), os.listdir(str(tmp_path))]

    assert sandbox.run(action) == [["here"], True, ["there"]]


def test_failure_in_the_block_comes_back_too() -> None:
    def action() -> bool:
        home = namespaces.open_of("self", "network")
        namespaces.unshare(namespaces.CLONE_NEWNET)
        before = identity("net")
        with pytest.raises(ZeroDivisionError), namespaces.entered(home, "network"):
            raise ZeroDivisionError
        return identity("net") == before

    assert sandbox.run(action)


def test_descriptor_of_another_kind_is_refused() -> None:
    def action() -> t.List[t.Any]:
        before = set(os.listdir("/proc/self/fd"))
        fd = namespaces.open_of("self", "uts")
        with pytest.raises(KernelError), namespaces.entered(fd, "network"):
            pass
        os.close(fd)
        return [set(os.listdir("/proc/self/fd")) == before]

    assert sandbox.run(action) == [True]


def test_only_the_calling_thread_moves() -> None:
    def action() -> bool:
        home = namespaces.open_of("self", "network")
        namespaces.unshare(namespaces.CLONE_NEWNET)
        seen: t.List[int] = []
        entered, looked = threading.Event(), threading.Event()

        def look() -> None:
            entered.wait(10)
            seen.append(identity("net"))
            looked.set()

        thread = threading.Thread(target=look)
        thread.start()
        mine = identity("net")
        with namespaces.entered(home, "network"):
            entered.set()
            looked.wait(10)
        thread.join()
        return seen == [mine]

    assert sandbox.run(action)


def with_run() -> None:
    for entry in mountinfo.below("/run"):       # the machine's own, of which a systemd host has several, ip-netns(8) another one
        mounts.umount(entry.mount_point, detach=True)
    mounts.mount("none", "/run", fstype="tmpfs")


def test_pinned_namespace_is_new_and_can_be_entered() -> None:
    def action() -> t.List[t.Any]:
        with_run()
        before = identity("net")
        namespaces.pin_netns("/run/netns/nnsTEST")
        after = identity("net")
        fd = os.open("/run/netns/nnsTEST", os.O_RDONLY)
        with namespaces.entered(fd, "network"):
            inside = [identity("net") != before, links()]
        return [after == before, *inside]

    assert sandbox.run(action) == [True, True, ["lo"]]


def test_pin_is_one_that_ip_netns_knows() -> None:
    def action() -> t.List[t.Any]:
        with_run()
        namespaces.pin_netns("/run/netns/nnsTEST")
        listed = subprocess.run(["ip", "netns", "list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        subprocess.run(["ip", "netns", "add", "other"], check=True)
        subprocess.run(["ip", "netns", "delete", "nnsTEST"], check=True)
        namespaces.unpin("/run/netns/other")
        return [listed, os.listdir("/run/netns"), [entry.mount_point for entry in mountinfo.below("/run/netns")]]

    assert sandbox.run(action) == [["nnsTEST"], [], ["/run/netns"]]


def test_pin_after_ip_netns_stacks_no_second_mount_on_the_directory() -> None:
    def action() -> t.List[str]:
        with_run()
        subprocess.run(["ip", "netns", "add", "other"], check=True)
        namespaces.pin_netns("/run/netns/nnsTEST")
        namespaces.pin_netns("/run/netns/nnsTEST2")
        return sorted(entry.mount_point for entry in mountinfo.below("/run"))

    assert sandbox.run(action) == ["/run", "/run/netns", "/run/netns/nnsTEST", "/run/netns/nnsTEST2", "/run/netns/other"]


def test_unpin_is_seen_in_a_mount_namespace_that_copied_the_pin() -> None:
    def action() -> t.List[t.Any]:
        with_run()
        namespaces.pin_netns("/run/netns/nnsTEST")
        home = namespaces.open_of("self", "mount")
        namespaces.unshare(namespaces.CLONE_NEWNS)      # a copy; shared mounts stay in their peer group
        copied = mountinfo.is_mountpoint("/run/netns/nnsTEST")
        with namespaces.entered(home, "mount"):
            namespaces.unpin("/run/netns/nnsTEST")
        return [copied, mountinfo.is_mountpoint("/run/netns/nnsTEST"), os.listdir("/run/netns")]

    assert sandbox.run(action) == [True, False, []]


def test_unpin_twice_and_of_a_plain_file() -> None:
    def action() -> t.List[str]:
        with_run()
        namespaces.pin_netns("/run/netns/nnsTEST")
        namespaces.unpin("/run/netns/nnsTEST")
        namespaces.unpin("/run/netns/nnsTEST")
        pathlib.Path("/run/netns/left-over").write_text("")     # what a kill between open and mount leaves
        namespaces.unpin("/run/netns/left-over")
        return os.listdir("/run/netns")

    assert sandbox.run(action) == []


def test_unpin_while_a_process_holds_the_namespace() -> None:
    def action() -> t.List[str]:
        with_run()
        namespaces.pin_netns("/run/netns/nnsTEST")
        namespaces.setns(os.open("/run/netns/nnsTEST", os.O_RDONLY), "network")
        namespaces.unpin("/run/netns/nnsTEST")
        return [*os.listdir("/run/netns"), *links()]

    assert sandbox.run(action) == ["lo"]


def test_pin_does_not_replace_another() -> None:
    def action() -> bool:
        with_run()
        namespaces.pin_netns("/run/netns/nnsTEST")
        before = os.stat("/run/netns/nnsTEST").st_ino
        with pytest.raises(Conflict):
            namespaces.pin_netns("/run/netns/nnsTEST")
        return os.stat("/run/netns/nnsTEST").st_ino == before

    assert sandbox.run(action)


def test_pins_of_several_threads_do_not_disturb_each_other() -> None:
    def action() -> t.List[t.Any]:
        with_run()
        homes: t.Set[int] = set()

        def pin(number: int) -> None:
            namespaces.pin_netns("/run/netns/nns%d" % number)
            homes.add(identity("net"))

        mine = identity("net")
        threads = [threading.Thread(target=pin, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pinned = {os.stat("/run/netns/nns%d" % number).st_ino for number in range(8)}
        directory = [entry for entry in mountinfo.entries() if entry.mount_point == "/run/netns"]
        return [homes == {mine}, len(pinned), mine in pinned, len(directory), directory[0].is_shared]

    assert sandbox.run(action) == [True, 8, False, 1, True]


def test_flags_of_unshare_may_be_combined() -> None:
    def action() -> bool:
        before = [identity(name) for name in ("uts", "ipc", "net")]
        namespaces.unshare(consts.CLONE_NEWUTS | consts.CLONE_NEWIPC | consts.CLONE_NEWNET)
        return all(one != other for one, other in zip(before, [identity(name) for name in ("uts", "ipc", "net")]))

    assert sandbox.run(action, flags=0)

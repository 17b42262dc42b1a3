# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's small decisions as tables: users, mount options, kernel parameters, messages, records."""
from __future__ import annotations

import errno
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import mount_options, state, sync, sysctls, users

PASSWD = b"root:x:0:0::/root:/bin/sh\n# comment\nshort:line\napp:x:1000:1001:\xff:/home/app:/bin/sh\nbad:x:1_0:0::/:\n99:x:5:6::/n:\n"
GROUP = b"root:x:0:\napp:x:1001:\nextra:x:2000:other,app\nmore:x:2001:app\nbad:x: 3:app\n"


@pytest.mark.parametrize(("wanted", "uid", "gid", "groups", "home"), [
    ("root", 0, 0, (), "/root"), ("0", 0, 0, (), "/root"), ("app", 1000, 1001, (2000, 2001), "/home/app"),
    ("1000", 1000, 1001, (2000, 2001), "/home/app"), ("app:extra", 1000, 2000, (), "/home/app"), ("app:5", 1000, 5, (), "/home/app"),
    ("7", 7, 0, (), ""), ("7:8", 7, 8, (), ""), ("4294967294", 4294967294, 0, (), ""), ("99", 5, 6, (), "/n"),
])
def test_users(wanted: str, uid: int, gid: int, groups: t.Tuple[int, ...], home: str) -> None:
    assert users.resolve(wanted, passwd=PASSWD, group=GROUP) == users.User(uid, gid, groups, home)


@pytest.mark.parametrize("wanted", [
    "1_0", " 0 ", "+0", "-1", "\u0661", "0x0", "1000:", ":5", "", "4294967295", "99999999999", "who", "app:who", "bad", "app:bad", "0:0:0",
])
def test_users_that_are_none(wanted: str) -> None:
    with pytest.raises((Invalid, NotFound)):
        users.resolve(wanted, passwd=PASSWD, group=GROUP)


def test_mount_options_become_flags_and_attributes() -> None:
    found = mount_options.parse(["nosuid", "ro", "rw", "noexec", "size=5k", "mode=755", "rslave"])
    assert found.flags == consts.MS_NOSUID | consts.MS_NOEXEC and found.data == ("size=5k", "mode=755")
    assert found.set_ == consts.MOUNT_ATTR_NOSUID | consts.MOUNT_ATTR_NOEXEC and found.clear == consts.MOUNT_ATTR_RDONLY
    assert found.propagation == consts.MS_SLAVE | consts.MS_REC


def test_recursive_options_are_of_all_below() -> None:
    found = mount_options.parse(["rbind", "rro", "rnosuid"])
    assert (found.bind, found.recursive, found.set_) == (True, True, 0)
    assert found.set_below == consts.MOUNT_ATTR_RDONLY | consts.MOUNT_ATTR_NOSUID


@pytest.mark.parametrize(("words", "kind"), [(["bind", "size=1"], Invalid), (["ridmap"], Unsupported), (["tmpcopyup"], Unsupported)])
def test_mount_options_that_mean_nothing(words: t.List[str], kind: t.Type[CockerError]) -> None:
    with pytest.raises(kind):
        mount_options.parse(words)


@pytest.mark.parametrize(("name", "value", "private"), [
    ("net.ipv4.ip_forward", "1", {"network"}), ("net/core/somaxconn", "5", {"network"}),
    ("kernel.shmmax", "1", {"ipc"}), ("kernel.sem", "1 2 3 4", {"ipc"}), ("fs.mqueue.msg_max", "1", {"ipc"}),
])
def test_sysctls_of_own_namespaces(name: str, value: str, private: t.Set[str]) -> None:
    sysctls.check({name: value}, private=private)
    with pytest.raises(Invalid):
        sysctls.check({name: value}, private=set())


@pytest.mark.parametrize(("name", "value"), [
    ("kernel.core_pattern", "x"), ("vm.swappiness", "1"), ("net.ipv4.x", "1\n2"), ("net..x", "1"), ("net.ipv4/../../kernel/x", "1"),
    ("kernel.shmmax+kernel.core_pattern", "1"), ("net", "1"), ("net.ipv4.x", "\u0661"),
])
def test_sysctls_of_the_host(name: str, value: str) -> None:
    with pytest.raises(Invalid):
        sysctls.check({name: value}, private={"network", "ipc"})


def test_a_failure_crosses_the_pipe() -> None:
    heard, told = os.pipe()
    sync.send(told, sync.describe("mounts", NotFound("mount source", "/x", "No such file")))
    os.close(told)
    assert sync.receive(heard, timeout=1) == sync.Failure("mounts", "mount source /x: No such file", 0)
    os.close(heard)


def test_silence_is_success_and_a_hang_is_not() -> None:
    heard, told = os.pipe()
    late = sync.receive(heard, timeout=0.01)
    assert late is not None and late.errno == errno.ETIMEDOUT
    os.close(told)
    assert sync.receive(heard, timeout=1) is None
    os.close(heard)


def test_a_message_of_any_length_is_one_write() -> None:
    heard, told = os.pipe()
    sync.send(told, sync.Failure("x", "\u20ac" * 100000))
    os.close(told)
    assert len(os.read(heard, 1 << 20)) <= 4096
    os.close(heard)


@pytest.mark.parametrize(("error", "reason"), [
    (FileNotFoundError(2, "No such file or directory", "/a"), "mounts /a: No such file or directory"),
    (ValueError("odd"), "mounts: ValueError: odd"),
])
def test_foreign_errors_get_the_step(error: Exception, reason: str) -> None:
    assert sync.describe("mounts", error).reason == reason


def sample(pid: int = 1) -> state.State:
    return state.State("web", process.Identity(pid, 5), process.Identity(7, 8), state.stamp(0), "/b", {"cpu": "/c"}, "boot")


def test_state_is_read_back(tmp_path: pathlib.Path) -> None:
    state.write(str(tmp_path), sample())
    assert state.find(str(tmp_path)) == sample()
    assert not sample().is_running()        # of another boot
    state.remove(str(tmp_path))
    state.remove(str(tmp_path))
    assert state.find(str(tmp_path)) is None


def test_exit_is_read_back(tmp_path: pathlib.Path) -> None:
    ending = state.Ending(137, 9, True, state.stamp(0), state.stamp(10**9 + 5), "why", 3)
    state.write_exit(str(tmp_path), ending)
    assert state.find_exit(str(tmp_path)) == ending and ending.finished_at == "1970-01-01T00:00:01.000000005Z"
    state.remove_exit(str(tmp_path))
    assert state.find_exit(str(tmp_path)) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"pid": "x"}', b"\xff", b"[" * 5000, b'{"exit_code": 1, "signal": "x"}'])
def test_damaged_records_are_named(tmp_path: pathlib.Path, content: bytes) -> None:
    for name, find in (("state.json", state.find), ("exit.json", state.find_exit)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Damaged, match=name):
            find(str(tmp_path))

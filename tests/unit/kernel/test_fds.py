# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import socket
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fds, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, KernelError, Unsupported


@pytest.fixture
def program(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "program"
    path.write_bytes(pathlib.Path("/bin/cat").read_bytes())
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("known", [True, False])
def test_descriptors_from_the_first_on_are_closed_by_exec(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not known:
        monkeypatch.setitem(libc._known, "close_range", False)
    elif libc.is_missing("close_range"):
        pytest.skip("this kernel has no close_range")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        first = fcntl.fcntl(writer, fcntl.F_DUPFD, 200)
        below = fcntl.fcntl(writer, fcntl.F_DUPFD, 150)
        os.set_inheritable(first, True)
        fds.close_range_cloexec(200)
        os.write(writer, b"%d%d" % (os.get_inheritable(below), os.get_inheritable(first)))
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, "rb") as stream:
        assert stream.read() == b"10"


def test_kernel_without_the_flag_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, op: str, subject: str = "") -> int:
        raise KernelError(op, subject, 22)

    monkeypatch.setitem(libc._known, "close_range", True)
    monkeypatch.setattr(fds, "syscall", refuse)
    fds.close_range_cloexec(1 << 20)
    assert libc.is_missing("close_range")


def test_memfd_is_closed_by_exec_and_holds_what_is_written() -> None:
    fd = fds.memfd("letter")
    os.write(fd, b"text")
    found = (os.get_inheritable(fd), os.pread(fd, 10, 0))
    os.close(fd)
    assert found == (False, b"text")


def test_memfd_on_a_kernel_that_knows_no_executable_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: t.List[int] = []

    def answer(_number: int, _name: bytes, flags: int, *, op: str, subject: str) -> int:
        asked.append(flags)
        if flags & (consts.MFD_EXEC | consts.MFD_NOEXEC_SEAL):
            raise KernelError(op, subject, 22)
        return 99

    monkeypatch.setattr(fds, "syscall", answer)
    assert fds.memfd("x", executable=True) == 99
    assert asked[-1] == consts.MFD_CLOEXEC | consts.MFD_ALLOW_SEALING


def test_sealed_copy_is_the_program_and_cannot_be_changed(program: pathlib.Path) -> None:
    fd = fds.sealed_copy(str(program))
    try:
        with open("/proc/self/fd/%d" % fd, "rb") as stream:
            same = hashlib.sha256(stream.read()).digest() == hashlib.sha256(program.read_bytes()).digest()
        assert same
        for attack in (lambda: os.write(fd, b"x"), lambda: os.ftruncate(fd, 1), lambda: os.ftruncate(fd, 1 << 24)):
            with pytest.raises(PermissionError):
                attack()
        with pytest.raises(PermissionError):
            fcntl.fcntl(fd, consts.F_ADD_SEALS, 0)
    finally:
        os.close(fd)


def test_sealed_copy_runs(program: pathlib.Path) -> None:
    fd = fds.sealed_copy(str(program))
    try:
        text = subprocess.run(["/proc/self/fd/%d" % fd, "/proc/self/comm"], pass_fds=[fd], check=True, stdout=subprocess.PIPE).stdout
    finally:
        os.close(fd)
    assert text


def test_program_that_shrinks_while_it_is_copied_is_noticed(program: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [10, 0]
    monkeypatch.setattr(fds, "_sendfile", lambda target, _source: os.write(target, b"x" * parts[0]) and parts.pop(0))
    with pytest.raises(Damaged):
        fds.sealed_copy(str(program))


def test_copy_serves_where_no_overlay_can(program: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> int:
        raise Unsupported("protect program", path)

    monkeypatch.setattr(fds, "overlay_program", refuse)
    fd = fds.protected_program(str(program))
    seals = fcntl.fcntl(fd, consts.F_GET_SEALS)
    os.close(fd)
    assert seals & consts.F_SEAL_WRITE


def test_protected_program_does_not_exist() -> None:
    with pytest.raises(FileNotFoundError):
        fds.protected_program("/nonexistent/program")


@pytest.mark.parametrize(
    ("one", "other", "nested"), [("/usr/bin", "/usr", True), ("/", "/usr", True), ("/opt/x", "/usr", False), ("/usrx", "/usr", False)]
)
def test_layers_must_not_lie_in_each_other(one: str, other: str, nested: bool) -> None:
    assert fds._nested(one, other) is nested


@pytest.mark.parametrize("folder", ["/", "/run", "/run/x", "/usr/bin", "/dev", "/etc", "/root/bin"])
def test_second_layer_is_found_for_any_program_but_one_in_the_root(folder: str) -> None:
    found = fds._beside(folder)
    assert found is None if folder == "/" else found is not None and not fds._nested(folder, found)


def test_descriptors_travel_with_their_message() -> None:
    near, far = socket.socketpair()
    reader, writer = os.pipe()
    with near, far:
        fds.send_fds(near, b"take these", [reader, writer])
        data, (got_reader, got_writer) = fds.recv_fds(far, 100, 4)
        os.write(got_writer, b"through")
        came = os.read(reader, 100)
        inherited = os.get_inheritable(got_reader)
    for fd in (reader, writer, got_reader, got_writer):
        os.close(fd)
    assert (data, came, inherited) == (b"take these", b"through", False)


def test_more_descriptors_than_expected_are_closed_and_refused() -> None:
    near, far = socket.socketpair()
    with near, far:
        before = set(os.listdir("/proc/self/fd"))
        fds.send_fds(near, b"x", [0, 1, 2, 0, 1, 2])
        with pytest.raises(Damaged):
            fds.recv_fds(far, 10, 1)
        assert set(os.listdir("/proc/self/fd")) == before


def test_end_of_the_stream_is_empty() -> None:
    near, far = socket.socketpair()
    near.close()
    with far:
        assert fds.recv_fds(far, 10, 1) == (b"", [])


def test_interpreter_of_the_tests_can_be_copied() -> None:
    fd = fds.sealed_copy(os.path.realpath(sys.executable))
    size = os.fstat(fd).st_size
    os.close(fd)
    assert size == os.path.getsize(os.path.realpath(sys.executable))

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError


@pytest.fixture(autouse=True)
def _forgets_what_it_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc, "_known", {})


def test_failure_names_operation_subject_and_errno() -> None:
    with pytest.raises(KernelError) as caught:
        libc.call(libc.libc.umount2, b"/nonexistent/here", 0, op="umount", subject="/nonexistent/here")
    assert caught.value.errno in (errno.ENOENT, errno.EPERM)
    assert str(caught.value).startswith("umount /nonexistent/here: ")


def test_result_of_a_call_is_returned() -> None:
    assert libc.prctl(3, op="get dumpable") in (0, 1, 2)


def test_prototype_is_set_for_every_function_that_is_used() -> None:
    for name, arguments in libc._PROTOTYPES.items():
        assert getattr(libc.libc, name).argtypes == list(arguments) or tuple(getattr(libc.libc, name).argtypes) == arguments


@pytest.mark.parametrize(
    ("machine", "wide", "name", "number"),
    [
        ("x86_64", True, "memfd_create", 319),
        ("x86_64", True, "bpf", 321),
        ("x86_64", False, "memfd_create", 356),
        ("aarch64", True, "seccomp", 277),
        ("aarch64", False, "seccomp", 383),
        ("riscv64", True, "bpf", 280),
        ("ppc64le", True, "memfd_create", 360),
        ("s390x", True, "execveat", 354),
        ("x86_64", True, "openat2", 437),
        ("sparc64", True, "openat2", 437),
    ],
)
def test_system_call_numbers(machine: str, wide: bool, name: str, number: int) -> None:
    assert libc.system_call_numbers(machine, wide=wide)[name] == number


def test_numbers_agree_with_the_headers_of_this_machine() -> None:
    header = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if os.uname().machine != "x86_64" or not header.exists():
        pytest.skip("no kernel headers for this architecture")
    stated = dict(line.split()[1:3] for line in header.read_text().splitlines() if line.startswith("#define __NR_"))
    ours = {name: str(number) for name, number in libc.NR.items() if "__NR_" + name in stated}
    assert ours == {name: stated["__NR_" + name] for name in ours}
    assert len(ours) > 10


def test_unknown_machine_has_no_older_call() -> None:
    assert "bpf" not in libc.system_call_numbers("sparc64", wide=True)


@pytest.mark.parametrize("name", sorted(libc._PROBES))
def test_asking_for_a_call_does_nothing_and_answers(name: str) -> None:
    assert libc.is_missing(name) in (True, False)


@pytest.mark.parametrize(("number", "missing"), [(errno.ENOSYS, True), (errno.EPERM, True), (errno.EINVAL, False), (errno.EBADF, False)])
def test_call_is_missing_when_the_kernel_or_a_filter_says_so(monkeypatch: pytest.MonkeyPatch, number: int, missing: bool) -> None:
    def refuse(*_args: object, op: str, subject: str = "") -> int:
        raise KernelError(op, subject, number)

    monkeypatch.setattr(libc, "syscall", refuse)
    assert libc.is_missing("openat2") is missing


def test_call_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: t.List[object] = []

    def answer(*args: object, op: str, subject: str = "") -> int:
        asked.append(args)
        return 0

    monkeypatch.setattr(libc, "syscall", answer)
    libc.is_missing("openat2")
    libc.is_missing("openat2")
    assert len(asked) == 1


def test_call_without_a_number_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc, "NR", {})
    assert libc.is_missing("openat2")


def test_what_a_caller_found_missing_stays_missing() -> None:
    libc.remember_missing("close_range")
    assert libc.is_missing("close_range")


def test_proc_is_told_from_other_file_systems(tmp_path: pathlib.Path) -> None:
    answers = []
    for path in ("/proc", str(tmp_path)):
        fd = os.open(path, os.O_RDONLY)
        answers.append(libc.is_procfs(fd))
        os.close(fd)
    assert answers == [True, False]


def test_text_with_a_zero_byte_never_reaches_the_kernel() -> None:
    with pytest.raises(KernelError) as caught:
        libc.call(libc.libc.umount2, b"/proc\0/more", 0, op="umount", subject="/proc")
    assert caught.value.errno == errno.EINVAL

# SPDX-License-Identifier: GPL-3.0-or-later
"""The default profile in force: a child loads it and tries."""
from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pathlib
import socket
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.seccomp_profile import default_profile

pytestmark = pytest.mark.root

try:
    seccomp.library()
except Unsupported:
    pytest.skip("libseccomp is not installed", allow_module_level=True)

CLONE_NEWUSER = 0x10000000
AF_ALG, AF_VSOCK = 38, 40
KEYCTL = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine, -1)
SOCKET = {"x86_64": 41, "aarch64": 198}.get(os.uname().machine, -1)
FINE = 0


@pytest.fixture(scope="module")
def prepared() -> seccomp.Prepared:
    return seccomp.prepare(seccomp.compile(default_profile([])))


def under(prepared: seccomp.Prepared, act: t.Callable[[], object]) -> int:
    """0 or the errno that `act` ends with, in a child that has loaded the filter."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            seccomp.load(prepared)
            act()
            code = FINE
        except (OSError, KernelError) as error:
            code = error.errno or 98
        finally:
            os._exit(code)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def ordinary_work() -> None:
    with open("/etc/hostname", "rb") as file:
        file.read()
    socket.socket(socket.AF_INET).close()
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def unshare_user() -> None:
    libc.call(libc.libc.unshare, CLONE_NEWUSER, op="unshare")


def mount() -> None:
    libc.call(libc.libc.mount, b"none", b"/mnt", b"tmpfs", 0, None, op="mount")


def raw(number: int, *arguments: t.Any) -> t.Callable[[], int]:
    return lambda: libc.syscall(number, *arguments, op="call")


def test_ordinary_work_goes_on(prepared: seccomp.Prepared) -> None:
    assert under(prepared, ordinary_work) == FINE


def test_a_program_is_executed(prepared: seccomp.Prepared) -> None:
    assert under(prepared, lambda: os.execv("/bin/true", ["true"])) == FINE


@pytest.mark.parametrize(
    ("act", "answer"),
    [
        (mount, errno.EPERM),
        (unshare_user, errno.EPERM),
        (raw(KEYCTL, 0, 0, 0, 0, 0), errno.EPERM),
        (raw(435, ctypes.c_void_p(None), 0), errno.ENOSYS),
        (raw(1000), errno.ENOSYS),
        (raw(SOCKET, AF_VSOCK, 1, 0), errno.EPERM),
        (raw(SOCKET, AF_ALG | 1 << 32, 5, 0), errno.EPERM),
        (lambda: os.mkdir("/proc/nope"), errno.ENOENT),
    ],
    ids=["mount", "unshare user", "keyctl", "clone3", "a call of the future", "vsock", "alg with a high bit", "allowed, fails by itself"],
)
def test_what_the_profile_forbids_fails(prepared: seccomp.Prepared, act: t.Callable[[], object], answer: int) -> None:
    assert under(prepared, act) == answer


def test_the_process_says_that_it_is_filtered(prepared: seccomp.Prepared) -> None:
    def check() -> None:
        if "Seccomp:\t2" not in pathlib.Path("/proc/self/status").read_text():
            raise OSError(errno.EINVAL, "not filtered")

    assert under(prepared, check) == FINE


def test_a_filter_with_flags_is_loaded(prepared: seccomp.Prepared) -> None:
    with_flags = seccomp.prepare(seccomp.compile(default_profile([])), flags=seccomp.FLAGS["SECCOMP_FILTER_FLAG_LOG"])
    assert under(with_flags, unshare_user) == errno.EPERM


def test_loading_needs_privilege_or_no_new_privs(prepared: seccomp.Prepared) -> None:
    def unprivileged(*, no_new_privs: bool) -> int:
        pid = os.fork()
        if pid == 0:
            with contextlib.ExitStack() as stack:
                stack.callback(os._exit, 99)
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                if no_new_privs:
                    libc.prctl(38, 1, op="no_new_privs")
                try:
                    seccomp.load(prepared)
                except KernelError as error:
                    os._exit(error.errno)
                os._exit(FINE)
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])

    assert unprivileged(no_new_privs=False) == errno.EACCES
    assert unprivileged(no_new_privs=True) == FINE

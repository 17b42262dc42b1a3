# SPDX-License-Identifier: BSD-2-Clause
"""The last steps of a process that is in its container: what it gives up, which program it is to become, becoming it.

Not here: how it got there (build.py, execute.py). What it says of a program that is not there is what callers of runc look for.
"""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, process, rootpath, scheduling
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, KernelError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.oci import config, machine
from ansible_collections.cocker.engine.plugins.module_utils.runtime import credentials, defaults, rootfs, users

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp

_JOIN_SESSION_KEYRING = 1       # keyctl(2)
_STREAMS = 3


def settle(
    wanted: config.Process, *, syscalls: t.Optional[seccomp.Prepared], personality: t.Optional[int],
    memory: t.Optional[machine.MemoryPolicy], tell: t.Callable[[int], object],
) -> t.Dict[str, str]:
    """The caller's directory, limits, priorities and rights are those of the process from here on. Returns its environment.

    `tell` is given the descriptor of a filter whose calls an agent decides about, and returns when the agent has it.
    """
    core = wanted.core
    root = rootpath.open_root("/")
    user = users.find(root, core)
    _enter_directory(root, core.cwd)
    os.close(root)
    _own_streams(user.uid)
    credentials.set_limits(core.rlimits)
    if wanted.scheduler is not None:
        scheduling.set_policy(*wanted.scheduler)
    if wanted.io_priority is not None:
        scheduling.set_io_priority(wanted.io_priority)
    if memory is not None:
        scheduling.set_memory_policy(*memory)
    if personality is not None:
        scheduling.set_personality(personality)
    if wanted.apparmor:
        _confine(wanted.apparmor)
    listener = credentials.assume(user, core, syscalls=syscalls)
    if listener >= 0:
        tell(listener)
        os.close(listener)
    os.umask(0o022 if core.umask is None else core.umask)
    return dict({"HOME": user.home or "/"}, **_variables(core.env))


def _variables(words: t.Iterable[str]) -> t.Dict[str, str]:
    """The last of each name."""
    return {name: value for name, _equals, value in (word.partition("=") for word in words)}


def _enter_directory(root: int, path: str) -> None:
    fd = rootfs.open_working_directory(root, path)
    os.fchdir(fd)
    os.close(fd)
    if not os.getcwd().startswith("/"):     # "(unreachable)": outside of the root
        raise Invalid("process.cwd", "%s lies outside of the container" % path)


def _own_streams(uid: int) -> None:
    """So that the process may open /dev/stdout. Files of the host's and streams of other id maps stay as they are."""
    for number in range(_STREAMS):
        facts = os.fstat(number)
        if uid != facts.st_uid and (stat.S_ISFIFO(facts.st_mode) or os.isatty(number)):
            with tolerate(errno.EPERM, errno.EINVAL, errno.EROFS):
                os.fchown(number, uid, -1)


def _confine(profile: str) -> None:
    """From the next exec on (apparmor's own file, or the one that it shares with other modules)."""
    for path in ("/proc/self/attr/apparmor/exec", "/proc/self/attr/exec"):
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if not libc.is_procfs(fd):
                raise CockerError("apparmor", profile, "no proc file system is mounted on /proc")
            os.write(fd, b"exec " + os.fsencode(profile))
            return
        except OSError as error:
            raise CockerError("apply apparmor profile", profile, os.strerror(error.errno or errno.EIO)) from error
        finally:
            os.close(fd)
    raise CockerError("apply apparmor profile", profile, "this kernel has no AppArmor")


def join_keyring(name: str) -> None:
    """A session keyring of its own, so that the caller's keys are not the container's."""
    try:
        libc.syscall(libc.NR["keyctl"], _JOIN_SESSION_KEYRING, os.fsencode("_ses." + name), op="join session keyring", subject=name)
    except KernelError as error:
        if error.errno != errno.ENOSYS:     # a kernel without keys has none to hide
            raise


def find_program(name: str, env: t.Mapping[str, str]) -> str:
    """The path to exec, looked for with the rights that the process has."""
    if "/" in name:
        reason = _unusable(name)
        if reason:
            raise CockerError("exec: %s" % _quoted(name), "", reason)
        return name
    for folder in (env.get("PATH") or defaults.PATH).split(":"):
        path = "%s/%s" % (folder or ".", name)
        if name and not _unusable(path):
            return path
    raise CockerError("exec: %s" % _quoted(name), "", "executable file not found in $PATH")


def _quoted(name: str) -> str:
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')


def _unusable(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return "stat %s: %s" % (path, lowered(error))
    if stat.S_ISDIR(mode):
        return "is a directory"
    return "" if os.access(path, os.X_OK) else "permission denied"


def lowered(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO).lower()


def become(path: str, args: t.Sequence[str], env: t.Mapping[str, str], *, keep: int) -> t.NoReturn:
    """With the standard streams and `keep` descriptors after them. Raises CockerError."""
    for number in range(_STREAMS, _STREAMS + keep):
        with tolerate(errno.EBADF):
            os.set_inheritable(number, True)
    process.reset_signals()
    try:
        os.execve(path, list(args), dict(env))
    except OSError as error:
        raise CockerError("exec %s" % path, "", lowered(error)) from error


def with_listeners(core: oci.Process, count: int) -> oci.Process:
    """LISTEN_FDS and LISTEN_PID as sd_listen_fds(3) reads them, said to the calling process itself."""
    if not count:
        return core
    env = tuple(word for word in core.env if not word.startswith(("LISTEN_FDS=", "LISTEN_PID=")))
    return core._replace(env=(*env, "LISTEN_FDS=%d" % count, "LISTEN_PID=%d" % os.getpid()))

# SPDX-License-Identifier: BSD-2-Clause
"""The last steps to a container's command, the same for its first process and for one that is started in it later.

The process is in the container's namespaces and root, with all privileges left. Not here: how it got there.
"""
from __future__ import annotations

import codecs
import errno
import os
import signal
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, process, rootpath, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, KernelError
from ansible_collections.cocker.engine.plugins.module_utils.runtime import credentials, defaults, rootfs, streams, sync, users

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp

# Others that are named in the tree are those for which Python looks nothing up: ascii and latin-1, to encode and decode.
_CODECS = ("utf-8",)


def forget_host() -> None:
    """From here on nothing can be imported: what would be found is the container's, and would run with our privileges."""
    for name in _CODECS:
        codecs.lookup(name)
    del sys.path[:]
    del sys.meta_path[:]
    del sys.path_hooks[:]
    sys.path_importer_cache.clear()


def execute(
    wanted: oci.Process, *, syscalls: t.Optional[seccomp.Prepared], report: int, user_space: int = -1, cwd_option: str = "working_dir"
) -> None:
    """Gives up what is to be given up and becomes the command. Returns only by an exception. `cwd_option` is who says the directory."""
    if (wanted.maps is None) != (user_space < 0):
        raise Damaged("start", "user namespace", "it is not at hand")
    root = rootpath.open_root("/")
    user = users.find(root, wanted)
    _enter_directory(root, wanted.cwd, cwd_option)
    os.close(root)
    streams.give_to(user.uid if wanted.maps is None else idmap.outside(wanted.maps.uids, user.uid) or 0)
    credentials.set_limits(wanted.rlimits)
    if user_space >= 0:
        _refuse_unmapped(user, t.cast(idmap.Maps, wanted.maps))
        userns.join(user_space)
    credentials.assume(user, wanted, syscalls=syscalls)
    die_with_parent(report)
    os.umask(0o022 if wanted.umask is None else wanted.umask)
    exec_command(wanted.args, environment(wanted, user))


def _refuse_unmapped(user: users.User, maps: idmap.Maps) -> None:
    for number, extents in ((user.uid, maps.uids), *((gid, maps.gids) for gid in (user.gid, *user.groups))):
        if idmap.outside(extents, number) is None:
            raise Invalid("user", "%d is not among the ids of the container's user namespace" % number)


def _enter_directory(root: int, path: str, option: str) -> None:
    fd = rootfs.open_working_directory(root, path, option)
    os.fchdir(fd)
    os.close(fd)
    if not os.getcwd().startswith("/"):     # "(unreachable)": outside of the root
        raise Invalid(option, "it lies outside of the container")


def die_with_parent(report: int) -> None:
    """After every change of credentials, which clears it. A parent that died before it is found through the pipe."""
    process.set_parent_death_signal(signal.SIGKILL)
    if sync.is_parent_gone(report):
        os._exit(1)


def environment(wanted: oci.Process, user: users.User) -> t.Dict[str, str]:
    found = {}
    for word in wanted.env:
        name, _equals, value = word.partition("=")
        found[name] = value
    found.setdefault("HOME", user.home or ("/" if user.uid else "/root"))
    return found


def exec_command(args: t.Sequence[str], env: t.Mapping[str, str]) -> None:
    """execvpe(3) with the container's PATH; KernelError with the errno that says most."""
    fds.close_range_cloexec(3)
    process.reset_signals()
    name = args[0]
    folders = [""] if "/" in name else (env.get("PATH") or defaults.PATH).split(":")
    found = errno.ENOENT
    for folder in folders:
        path = "%s/%s" % (folder or ".", name) if "/" not in name else name
        try:
            os.execve(path, list(args), dict(env))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                found = error.errno or errno.EIO
            elif "/" in name and os.path.exists(path):
                hint = "the file is there: its interpreter or loader is missing"
                raise KernelError("exec", name, errno.ENOENT, hint=hint) from error
            if found not in (errno.ENOENT, errno.EACCES):
                break
    raise KernelError("exec", name, found)

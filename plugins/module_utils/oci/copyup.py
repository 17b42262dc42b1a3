# SPDX-License-Identifier: BSD-2-Clause
"""What was in a directory before a tmpfs was mounted over it, again in the tmpfs (the mount option tmpcopyup).

On descriptors, and without following: an image can have anything there.
"""
from __future__ import annotations

import errno
import os
import stat

from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def copy(source: int, target: int) -> None:
    """Directories both; modes, owners, times and extended attributes included. Hard links become files of their own."""
    for name in os.listdir(source):
        facts = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            os.mkdir(name, 0o700, dir_fd=target)
            below, made = os.open(name, _DIRECTORY, dir_fd=source), os.open(name, _DIRECTORY, dir_fd=target)
            copy(below, made)
            _close(below, made)
        elif stat.S_ISREG(facts.st_mode):
            _copy_file(source, target, name)
        elif stat.S_ISLNK(facts.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, facts.st_uid, facts.st_gid, dir_fd=target, follow_symlinks=False)
        else:
            os.mknod(name, facts.st_mode, facts.st_rdev, dir_fd=target)
            os.chown(name, facts.st_uid, facts.st_gid, dir_fd=target, follow_symlinks=False)
            os.chmod(name, stat.S_IMODE(facts.st_mode), dir_fd=target)
    _copy_facts(source, target)


def _copy_file(source: int, target: int, name: str) -> None:
    given = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
    while os.sendfile(made, given, None, _CHUNK):
        continue
    _copy_facts(given, made)
    _close(given, made)


def _copy_facts(source: int, target: int) -> None:
    facts = os.fstat(source)
    os.fchown(target, facts.st_uid, facts.st_gid)
    os.fchmod(target, stat.S_IMODE(facts.st_mode))
    for name in os.listxattr(mounts.path_of(source)):
        with tolerate(errno.EOPNOTSUPP, errno.EPERM):       # not every kind is there for a tmpfs
            os.setxattr(mounts.path_of(target), name, os.getxattr(mounts.path_of(source), name))
    os.utime(mounts.path_of(target), ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)

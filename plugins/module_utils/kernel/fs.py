# SPDX-License-Identifier: BSD-2-Clause
"""Files as the engine keeps them: durable writes, locks, removal that never leaves its file system.

Not here: paths below a root that somebody else fills (rootpath.py) and what the files mean (storage/).
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, poll, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, KernelError, tolerate

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomic(path: str, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Old content or new, never less; with `durable` that also holds for a power cut (rename(2), fsync(2))."""
    temporary = "%s.tmp-%d" % (path, os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:])
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        with tolerate(errno.ENOENT):
            os.unlink(temporary)
        raise
    if durable:
        fsync_dir(os.path.dirname(path) or ".")


def fsync_dir(path: str) -> None:
    fd = os.open(path, _FOLDER)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: str) -> None:
    """All that was written to the file system of `path` is on the disk (syncfs(2))."""
    fd = os.open(path, _FOLDER)
    try:
        libc.call(libc.libc.syncfs, fd, op="syncfs", subject=path)
    finally:
        os.close(fd)


@contextlib.contextmanager
def lock(path: str, *, shared: bool = False, timeout: float = 0.0) -> t.Iterator[None]:
    """flock(2) on a file that is made for it; the kernel releases it with the process. Raises Conflict when the time is up."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not poll.until(lambda: _try_lock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX), timeout=timeout):
            raise Conflict("lock", path, "another task holds it for more than %g s" % timeout)
        yield
    finally:
        os.close(fd)


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_tree(path: str) -> None:
    """Idempotent. Walks by descriptor, never through a link, never into another mount: meeting one raises Conflict before its first loss."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(path)
        return
    parent = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _Removal(parent, os.path.basename(path)) as removal:
            removal.run()
        os.rmdir(os.path.basename(path), dir_fd=parent)
    finally:
        os.close(parent)


class _Removal:
    """Depth first with an explicit stack of descriptors, so that neither recursion nor path length is a limit.

    Only the deepest descriptors are kept open; a directory that was closed is found again through `..`.
    """

    def __init__(self, parent: int, name: str) -> None:
        self._names = [name]
        self._fd = _open_below(parent, name)
        self._device = os.fstat(self._fd).st_dev

    def __enter__(self) -> _Removal:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)

    def run(self) -> None:
        while True:
            below = self._empty()
            if below is not None:
                self._move(_open_below(self._fd, below))
                self._names.append(below)
            elif len(self._names) == 1:
                return
            else:
                self._move(os.open("..", _FOLDER, dir_fd=self._fd))
                os.rmdir(self._names.pop(), dir_fd=self._fd)

    def _empty(self) -> t.Optional[str]:
        """Unlinks what is no directory; the first directory that is in the way."""
        with os.scandir(self._fd) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    with tolerate(errno.ENOENT):
                        os.unlink(entry.name, dir_fd=self._fd)
                    continue
                try:
                    os.rmdir(entry.name, dir_fd=self._fd)
                except OSError as error:
                    if error.errno == errno.ENOTEMPTY:
                        return entry.name
                    if error.errno == errno.EBUSY:
                        raise Conflict("remove", entry.name, "something is mounted on it") from error
                    if error.errno != errno.ENOENT:
                        raise
        return None

    def _move(self, fd: int) -> None:
        os.close(self._fd)
        self._fd = fd
        if os.fstat(fd).st_dev != self._device:
            raise Conflict("remove", self._names[-1], "another file system is mounted below it")


def _open_below(parent: int, name: str) -> int:
    """RESOLVE_NO_XDEV also finds a bind mount of the same file system, which st_dev does not (openat2(2))."""
    if libc.is_missing("openat2"):
        return os.open(name, _FOLDER, dir_fd=parent)
    try:
        return rootpath.openat2(parent, name, flags=_FOLDER, resolve=consts.RESOLVE_NO_XDEV | consts.RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise Conflict("remove", name, "something is mounted on it") from error
        raise


def disk_usage(path: str) -> int:
    """Bytes allocated below `path`, hard links once; what goes away meanwhile counts nothing."""
    total, seen = 0, set()
    todo = [path]
    while todo:
        with tolerate(errno.ENOENT), os.scandir(todo.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
    return total


def find_xattr(path: t.Union[str, int], name: str) -> t.Optional[bytes]:
    try:
        return os.getxattr(path, name, follow_symlinks=isinstance(path, int))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise KernelError("getxattr %s" % name, str(path), error.errno or errno.EIO) from error

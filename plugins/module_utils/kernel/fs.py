# SPDX-License-Identifier: BSD-2-Clause
"""Files that must survive a crash or an attack: atomic writes, fsync, flock, removal that never leaves its mount, attributes.

Not here: paths inside a container's root (rootpath.py) and what is written (storage).
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mountinfo, poll, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR, call, is_missing, libc, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, KernelError, tolerate

Name = t.Union[str, bytes]
Sync = t.Callable[[str], object]        # fsync_dir, or what does it later

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_EXCHANGE = 2           # RENAME_EXCHANGE: Linux 3.15
_LOCK_INTERVAL = 0.02      # seconds between two looks, the first ones sooner: most locks are held for a few milliseconds
_LOCK_SOONEST = 0.001
_TEMPORARY = ".tmp-"    # then the writer's pid
_LARGEST_FILL = 1 << 20
_BLOCK = 512            # the unit of st_blocks, whatever the file system's own is (stat(2))


def write_atomic(path: str, data: bytes, *, mode: int = 0o600, durable: bool = True, sync: t.Optional[Sync] = None) -> None:
    """The old content or the new, never a part. `durable`: also after a power loss, once `sync` has been to the directory."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, temporary_name(name))
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(fd, data)
            os.fchmod(fd, mode)
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
        (sync or fsync_dir)(folder or ".")


def temporary_name(name: str) -> str:
    """Beside `name`, until it takes its place; abandoned() knows whose it was."""
    return ".%s%s%d-%s" % (name[:50], _TEMPORARY, os.getpid(), os.urandom(6).hex())


def is_temporary_of(path: str, target: str) -> bool:
    return os.path.basename(path).startswith(".%s%s" % (os.path.basename(target)[:50], _TEMPORARY))


def abandoned(folder: str) -> t.List[str]:
    """Temporary files of write_atomic() whose writer was killed. Empty for a folder that does not exist."""
    found: t.List[str] = []
    with tolerate(errno.ENOENT, errno.ENOTDIR):
        for name in os.listdir(folder):
            head, mark, writer = name.rpartition(_TEMPORARY)
            pid = writer.partition("-")[0]
            if head.startswith(".") and mark and pid.isdigit() and not os.path.exists("/proc/" + pid):
                found.append(os.path.join(folder, name))
    return sorted(found)


def write_all(fd: int, data: t.Union[bytes, memoryview]) -> None:
    """write(2) may take less than it is given: a pipe, a signal, a full disk."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def read(path: str) -> bytes:
    """A file that is replaced as a whole. io.open takes most of the time where there are hundreds."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def rewrite(path: str, content: bytes, *, mode: int, owner: t.Optional[t.Tuple[int, int]] = None) -> None:
    """In place, in one write(2), filled with empty lines up to its former length: whoever reads meanwhile finds whole lines.

    For a file that is mounted somewhere, where another one of its name would not be seen.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        if owner is not None:
            os.fchown(fd, *owner)
        os.fchmod(fd, mode)     # whatever the umask
        size = os.fstat(fd).st_size
        if size == len(content) and os.pread(fd, size + 1, 0) == content:
            return
        os.pwrite(fd, content + b"\n" * max(min(size, _LARGEST_FILL) - len(content), 0), 0)
        os.ftruncate(fd, len(content))
    finally:
        os.close(fd)


def append(path: str, content: bytes, *, size: int) -> bool:
    """In one write(2), to a file that has `size` bytes; any other one, or none, is left alone, and the answer is False."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if os.lseek(fd, 0, os.SEEK_END) != size:
            return False
        if os.write(fd, content) != len(content):
            os.ftruncate(fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return True
    finally:
        os.close(fd)


def exchange(one: str, other: str) -> None:
    """Each gets the other's name, in one step (renameat2(2), RENAME_EXCHANGE). Both are there, on one file system.

    In two steps where the kernel or the file system cannot: whoever is killed between them leaves `one` under a name beside it.
    """
    try:
        if "renameat2" in NR:
            places = (consts.AT_FDCWD, os.fsencode(one), consts.AT_FDCWD, os.fsencode(other))
            syscall(NR["renameat2"], *places, _EXCHANGE, op="rename", subject=one)
            return
    except KernelError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise
    aside = os.path.join(os.path.dirname(one), temporary_name(os.path.basename(one)))
    os.rename(one, aside)
    try:
        os.rename(other, one)
    except BaseException:
        os.rename(aside, one)
        raise
    os.rename(aside, other)


def fsync_dir(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: str) -> None:
    """All that was written to the file system of `path` is on the disk (syncfs(2)); from Linux 5.8 on also raises what writing back met."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call(libc.syncfs, fd, op="syncfs", subject=path)
    finally:
        os.close(fd)


@contextlib.contextmanager
def lock(path: str, *, shared: bool = False, timeout: float = 0.0) -> t.Iterator[int]:
    """flock(2) on a file that is made for it and goes with its last holder. Raises Conflict when the time is up."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    held: t.List[int] = []
    if not poll.until(lambda: _try_lock(path, mode, held), timeout=timeout, interval=_LOCK_INTERVAL, soonest=_LOCK_SOONEST):
        raise Conflict("lock", path, "somebody else holds it", hint="waited %g s" % timeout)
    try:
        yield held[0]
    finally:
        _unlock(path, held[0])


def _try_lock(path: str, mode: int, held: t.List[int]) -> bool:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # The file may have been unlinked between open and flock by the holder before: then this lock is nobody's.
    if flock_now(fd, mode) and is_at(fd, path):
        held.append(fd)
        return True
    os.close(fd)
    return False


def flock_now(fd: int, mode: int = fcntl.LOCK_EX) -> bool:
    """False when somebody else has it."""
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(fd: int, path: str) -> bool:
    """Whether the open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _unlock(path: str, fd: int) -> None:
    """Only who holds it alone may unlink: a file that others hold shared must stay the one that newcomers find."""
    try:
        if flock_now(fd) and is_at(fd, path):
            os.unlink(path)
    finally:
        os.close(fd)


def remove_tree(path: str) -> None:
    """Idempotent. Conflict, with nothing removed, if something is mounted below; never follows a link, never enters another mount.

    Descriptors only and no recursion, so neither a tree of any depth nor somebody who renames in it leads it astray.
    """
    refuse_mounts(path)
    folder, name = os.path.split(path.rstrip("/"))
    try:
        parent = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_at(parent, name, subject=path)
    finally:
        os.close(parent)


def refuse_mounts(path: str) -> None:
    """Conflict if something is mounted at or below the path, as far as this process sees."""
    mounted = mountinfo.below(path) if os.path.isdir(path) and not os.path.islink(path) else []
    if mounted:
        raise Conflict("remove", path, "%s is mounted" % mounted[0].mount_point)


def remove_at(dir_fd: int, name: Name, *, subject: str = "") -> None:
    """remove_tree for one name of an open directory; a mount that is met on the way is a Conflict."""
    subject = subject or os.fsdecode(name)
    if _unlink(dir_fd, name, subject):
        return
    fd = _enter(dir_fd, name, subject)
    # Each level: its name in the directory above, that one's identity to find back by `..` without keeping it open, what is left in it.
    levels: t.List[t.Tuple[Name, os.stat_result, t.List[str]]] = []
    try:
        levels.append((name, os.fstat(dir_fd), _empty(fd, subject)))
        while levels:
            name, above, left = levels[-1]
            if left:
                here, below = os.fstat(fd), left.pop()
                fd = _swap(fd, _enter(fd, below, subject))
                levels.append((below, here, _empty(fd, subject)))
                continue
            levels.pop()
            fd = _swap(fd, _climb(fd, above, subject))
            _rmdir(fd, name, subject)
    finally:
        os.close(fd)


def _swap(old: int, new: int) -> int:
    os.close(old)
    return new


def _empty(fd: int, subject: str) -> t.List[str]:
    """Removes what is no directory, and the directories that are empty; the names of the others."""
    with os.scandir(fd) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    left = []
    for name, is_directory in names:
        if not is_directory:
            _unlink(fd, name, subject)
            continue
        try:
            os.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise _busy(error, subject, name) from error
            left.append(name)
    return left


def _unlink(fd: int, name: Name, subject: str) -> bool:
    """False for a directory."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return True
    except IsADirectoryError:
        return False
    except OSError as error:
        if error.errno == errno.EPERM and stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            return False        # what POSIX says for unlink of a directory; Linux says EISDIR
        raise _busy(error, subject, name) from error
    return True


def _rmdir(fd: int, name: Name, subject: str) -> None:
    try:
        os.rmdir(name, dir_fd=fd)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _busy(error, subject, name) from error


def _busy(error: OSError, subject: str, name: Name) -> Exception:
    if error.errno in (errno.EBUSY, errno.EXDEV):
        return Conflict("remove", subject, "%s is a mount point" % os.fsdecode(name))
    return error


def _enter(fd: int, name: Name, subject: str) -> int:
    """The directory, unless it is on another mount: a bind mount has the same st_dev, so the mount itself is compared."""
    try:
        if not is_missing("openat2"):       # Linux 5.6
            resolve = consts.RESOLVE_NO_XDEV | consts.RESOLVE_NO_SYMLINKS
            return rootpath.openat2(fd, os.fsdecode(name), flags=_DIRECTORY, resolve=resolve)
        new = os.open(name, _DIRECTORY, dir_fd=fd)
    except OSError as error:
        raise _busy(error, subject, name) from error
    if mount_id(new) != mount_id(fd):
        os.close(new)
        raise Conflict("remove", subject, "%s is a mount point" % os.fsdecode(name))
    return new


def mount_id(fd: int) -> bytes:
    try:
        with open("/proc/self/fdinfo/%d" % fd, "rb") as stream:
            return next(line for line in stream if line.startswith(b"mnt_id:"))
    except FileNotFoundError:       # in a chroot without /proc
        return b"%d" % os.fstat(fd).st_dev


def _climb(fd: int, above: os.stat_result, subject: str) -> int:
    parent = os.open("..", _DIRECTORY, dir_fd=fd)
    if not os.path.samestat(os.fstat(parent), above):
        os.close(parent)
        raise Conflict("remove", subject, "somebody moves directories in it")
    return parent


def disk_usage(path: str) -> int:
    """Bytes that the tree occupies, itself included; files with several links counted once, without what is mounted in it.

    0 for a missing one.
    """
    try:
        top = os.lstat(path)
    except FileNotFoundError:
        return 0
    device, total, pending = top.st_dev, top.st_blocks * _BLOCK, [path]
    seen: t.Set[int] = set()
    while pending:
        with tolerate(errno.ENOENT, errno.ENOTDIR), os.scandir(pending.pop()) as entries:
            for entry in entries:
                facts = _facts(entry)
                if facts is None or facts.st_dev != device or facts.st_ino in seen:
                    continue
                if stat.S_ISDIR(facts.st_mode):
                    pending.append(entry.path)
                elif facts.st_nlink > 1:
                    seen.add(facts.st_ino)
                total += facts.st_blocks * _BLOCK
    return total


def _facts(entry: os.DirEntry[str]) -> t.Optional[os.stat_result]:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def find_xattr(target: t.Union[int, Name], name: str) -> t.Optional[bytes]:
    """Of the link itself. None where there is none, or where the file system has no attributes."""
    try:
        return os.getxattr(target, name, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise


def xattrs(target: t.Union[int, Name]) -> t.Dict[str, bytes]:
    """Every extended attribute that we may see, of the link itself. Empty where the file system has none."""
    try:
        names = os.listxattr(target, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}
        raise
    found = {name: find_xattr(target, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}

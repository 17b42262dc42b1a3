# SPDX-License-Identifier: BSD-2-Clause
"""Paths inside a root that somebody else fills: links, absolute ones too, and `..` never lead out of it (openat2(2)).

`path` is what a process in the root would say. Not here: mounting on what is opened, that is mounts.py with the descriptor.
"""
from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, structs
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR, is_missing, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_ATTEMPTS = 128         # openat2 says EAGAIN when a rename elsewhere kept it from being sure
_LINKS = 40             # as many as the kernel follows
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_CREATING = os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY


def open_root(path: str) -> int:
    """O_PATH descriptor of the root; here links are followed, the path is the host's."""
    return os.open(path, _FOLDER)


def open_in(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """open(2) as if the root were `/`. OSError as open(2); CLOEXEC and NOCTTY are always set."""
    flags |= os.O_CLOEXEC | (0 if flags & os.O_PATH else os.O_NOCTTY)       # openat2 refuses what O_PATH would ignore
    if is_missing("openat2"):       # Linux 5.6
        return _open_by_walk(root_fd, path, flags, mode)
    resolve = consts.RESOLVE_IN_ROOT | consts.RESOLVE_NO_MAGICLINKS
    return openat2(root_fd, path or ".", flags=flags, mode=mode, resolve=resolve)


def openat2(dir_fd: int, path: str, *, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2) with its retries; OSError like os.open. The caller asks is_missing("openat2") first."""
    how = structs.OpenHow(flags, mode if flags & _CREATING else 0, resolve)
    for attempt in range(_ATTEMPTS):
        try:
            return syscall(NR["openat2"], dir_fd, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how), op="open", subject=path)
        except KernelError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR) or attempt == _ATTEMPTS - 1:
                raise OSError(error.errno, error.reason, path) from error
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def _open_by_walk(root_fd: int, path: str, flags: int, mode: int) -> int:
    follow = not flags & os.O_NOFOLLOW and flags & (os.O_CREAT | os.O_EXCL) != os.O_CREAT | os.O_EXCL
    for attempt in range(_ATTEMPTS):
        with _Walk(root_fd, path) as walk:
            name = walk.run(follow=follow)
            try:
                return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=walk.fd)
            except OSError as error:
                # A link now, where there was none a moment ago: look again.
                if error.errno != errno.ELOOP or not follow or attempt == _ATTEMPTS - 1:
                    raise
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


class _Walk:
    """Goes down component by component, by descriptors and without following; the stack of directories is the way back for `..`."""

    def __init__(self, root_fd: int, path: str, *, make: t.Optional[int] = None) -> None:
        self._path = path
        self._make = make
        self._pending = path.split("/")[::-1]
        self._stack = [os.dup(root_fd)]
        self._links = 0

    def __enter__(self) -> _Walk:
        return self

    def __exit__(self, *_exc: object) -> None:
        while self._stack:
            os.close(self._stack.pop())

    @property
    def fd(self) -> int:
        """The directory that has been reached."""
        return self._stack[-1]

    def run(self, *, follow: bool) -> str:
        """Reaches the directory of the last component and returns its name there: not a link if `follow`; "." for the directory itself."""
        while self._pending:
            name = self._pending.pop()
            if name == ".." and len(self._stack) > 1:
                os.close(self._stack.pop())
            if name in ("", ".", ".."):
                continue
            if self._step(name, follow=follow):
                return name
        return "."

    def _step(self, name: str, *, follow: bool) -> bool:
        """Goes into one component; True when it is the last one and stays where it is."""
        last = not self._pending
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError:
            if not last and self._make is not None:
                make_directory(self.fd, name, self._make)
                self._pending.append(name)
            elif not last:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), self._path) from None
            return last
        kind = stat.S_IFMT(os.fstat(fd).st_mode)
        if kind == stat.S_IFLNK and (follow or not last):
            self._follow(fd)
            return False
        if last or kind != stat.S_IFDIR:
            os.close(fd)
            if not last:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._path)
            return True
        self._stack.append(fd)
        return False

    def _follow(self, fd: int) -> None:
        try:
            target = os.readlink("", dir_fd=fd)
        finally:
            os.close(fd)
        self._links += 1
        if self._links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        if target.startswith("/"):
            while len(self._stack) > 1:
                os.close(self._stack.pop())
        self._pending.extend(reversed(target.split("/")))


@contextlib.contextmanager
def parent_of(root_fd: int, path: str, *, follow: bool, make: t.Optional[int] = None) -> t.Iterator[t.Tuple[int, str]]:
    """The directory that the last component is in, open during the block, and its name there: "." for the root itself.

    With `follow` the name is no link, at the moment that it was looked at. `make` is the mode of missing parents, None makes none.
    """
    with _Walk(root_fd, path, make=make) as walk:
        name = walk.run(follow=follow)
        yield walk.fd, name


def make_directory(dir_fd: int, name: str, mode: int) -> None:
    """One component, with exactly that mode whatever the umask; a directory that is there already stays as it is."""
    try:
        os.mkdir(name, mode, dir_fd=dir_fd)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            raise
        return
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def ensure_dir(root_fd: int, path: str, mode: int = 0o755) -> None:
    """Makes what is missing, also behind links; FileExistsError or NotADirectoryError where something else is in the way."""
    try:
        os.close(open_in(root_fd, path, _FOLDER))
    except FileNotFoundError:
        with _Walk(root_fd, path, make=mode) as walk:
            name = walk.run(follow=True)
            if name != ".":
                make_directory(walk.fd, name, mode)


def ensure_file(root_fd: int, path: str, mode: int = 0o644) -> None:
    """Something that a file can be mounted on: made empty if missing, else left as it is. IsADirectoryError for a directory."""
    with _Walk(root_fd, path, make=0o755) as walk:
        name = walk.run(follow=True)
        try:
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=walk.fd)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(name, dir_fd=walk.fd, follow_symlinks=False).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path) from None
            return
        try:
            os.fchmod(fd, mode)
        finally:
            os.close(fd)


def mknod(root_fd: int, path: str, *, mode: int, device: int = 0) -> None:
    """A node with exactly that mode (S_IFCHR | 0o666 ...); missing parents are made. FileExistsError if something is there."""
    with _Walk(root_fd, path, make=0o755) as walk:
        name = walk.run(follow=False)
        os.mknod(name, mode, device, dir_fd=walk.fd)
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=walk.fd)
        try:
            os.chmod("/proc/self/fd/%d" % fd, stat.S_IMODE(mode))      # an O_PATH descriptor takes no fchmod
        finally:
            os.close(fd)


def symlink(root_fd: int, path: str, *, target: str) -> None:
    """Missing parents are made. FileExistsError if something is there."""
    with _Walk(root_fd, path, make=0o755) as walk:
        name = walk.run(follow=False)
        os.symlink(target, name, dir_fd=walk.fd)


def exists(root_fd: int, path: str) -> bool:
    """Whether the path leads to something, a last link that leads nowhere included."""
    try:
        os.close(open_in(root_fd, path, os.O_PATH | os.O_NOFOLLOW))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True

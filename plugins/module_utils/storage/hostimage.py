# SPDX-License-Identifier: BSD-2-Clause
"""`source: host`: a small image of the host's own programs, so that there is something to run where nothing can be fetched.

Not here: which files (hostfiles.py), and the record of the image (images.py).
"""
from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig
from ansible_collections.cocker.engine.plugins.module_utils.storage import hostfiles, treecopy
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer, Staging

SOURCE = "host"
# No command: a container of it is a small virtual machine, whose first process is the engine's.
CONFIG = ImageConfig(env=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",), working_dir="/root")

_TEXTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "/etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/hostname": "",
    "/etc/resolv.conf": "",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "/etc/profile": "echo '--- Welcome to cocker container ---'\nexport TERM=${TERM:-xterm}\n",
    "/root/.profile": "export USERNAME=${USERNAME:-root} HOSTNAME=${HOSTNAME:-$(hostname)}\n"
                      "export PS1='[$USERNAME@$HOSTNAME $PWD] '\nalias ll='ls -l'\n",
    "/root/tpl.txt": '{ "leaf":"${LEAF}" }\n',
}
_DIRECTORIES = {
    **dict.fromkeys((
        "/bin", "/sbin", "/lib", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local/bin", "/dev", "/etc", "/home", "/mnt", "/opt", "/run",
        "/srv", "/var/log",
    ), 0o755),
    "/proc": 0o555, "/sys": 0o555, "/root": 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777,
}
_EPOCH = 0          # of what is written for the image: the same inputs make the same image
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def digest(files: hostfiles.Files) -> str:
    """`sha256:...` of names, sizes and times: whether the host would bring anything new."""
    found = hashlib.sha256()
    for path, facts in sorted(files.files.items()):
        found.update(b"%s\0%d %d %d\n" % (os.fsencode(path), facts.st_size, facts.st_mtime_ns, facts.st_mode))
    for table in (files.links, _TEXTS, _DIRECTORIES):
        found.update(repr(sorted(table.items())).encode("utf-8", "surrogateescape"))
    return "sha256:" + found.hexdigest()


def build(staging: Staging, files: hostfiles.Files, *, created: str) -> Layer:
    """Raises CockerError, Damaged; whoever made `staging` removes it then."""
    builder = _Builder(staging.diff)
    try:
        builder.run(files)
    except OSError as error:
        raise CockerError("copy", str(error.filename), error.strerror or str(error)) from error
    return staging.commit(created=created, size=builder.size, entries=builder.entries, source=SOURCE, digest=digest(files))


class _Builder:
    """Paths are joined here: the tree is new, our own, closed to others, and its links are made last."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._made: t.Set[str] = {""}
        self.entries = self.size = 0

    def run(self, files: hostfiles.Files) -> None:
        for path, facts in sorted(files.files.items()):
            self._folder(os.path.dirname(path))
            self._copy(path, facts.st_mode)
        for path, target in sorted(files.links.items()):
            self._folder(os.path.dirname(path))
            os.symlink(target, self._root + path)
            os.utime(self._root + path, (_EPOCH, _EPOCH), follow_symlinks=False)
            self.entries += 1
        for path, text in sorted(_TEXTS.items()):
            if not os.path.lexists(self._root + path):
                self._folder(os.path.dirname(path))
                self._write(path, text.encode("ascii"))
        for path, mode in _DIRECTORIES.items():
            if not os.path.lexists(self._root + path):
                self._folder(path)
            if not os.path.islink(self._root + path):
                # The interpreter of a version manager lies in root's home; everybody in the image may run it.
                os.chmod(self._root + path, mode | 0o011 if hostfiles.python().startswith(path + "/") else mode)
        for path in sorted(self._made):
            os.utime(self._root + path, (_EPOCH, _EPOCH))

    def _folder(self, path: str) -> None:
        path = path.rstrip("/")
        if path not in self._made:
            self._folder(os.path.dirname(path))
            os.mkdir(self._root + path, 0o755)
            os.chmod(self._root + path, 0o755)
            self._made.add(path)
            self.entries += 1

    def _copy(self, path: str, mode: int) -> None:
        """Root's, without set-id bits: what the host's sudo may do is not for a test image."""
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            target = os.open(self._root + path, _NEW, 0o600)
            try:
                facts = os.fstat(source)
                treecopy.copy_data(source, target, facts.st_size)
                os.fchmod(target, mode & 0o755 | 0o444)
                os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
            finally:
                os.close(target)
        finally:
            os.close(source)
        self.entries += 1
        self.size += facts.st_size

    def _write(self, path: str, content: bytes) -> None:
        fd = os.open(self._root + path, _NEW, 0o644)
        try:
            os.write(fd, content)
            os.fchmod(fd, 0o644)
            os.utime(fd, (_EPOCH, _EPOCH))
        finally:
            os.close(fd)
        self.entries += 1
        self.size += len(content)

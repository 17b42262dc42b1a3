# SPDX-License-Identifier: BSD-2-Clause
"""Kernel parameters below /proc/sys, by dotted or slashed name. Not here: which ones a container may set (model)."""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import is_missing, is_procfs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported

ROOT = "/proc/sys"
_RESOLVE = (
    consts.RESOLVE_BENEATH | consts.RESOLVE_NO_XDEV | consts.RESOLVE_NO_SYMLINKS | consts.RESOLVE_NO_MAGICLINKS
)


def path_of(name: str) -> str:
    """`net.ipv4.ip_forward` as `net/ipv4/ip_forward`; a name with a slash before any dot keeps its dots, as for sysctl(8).

    Invalid for whatever could lead elsewhere.
    """
    first = next((char for char in name if char in "./"), ".")
    parts = name.split(first)
    if first == ".":
        parts = [part.replace("/", ".") for part in parts]      # sysctl(8): net.ipv4.conf.eth0/1.forwarding
    if any(part in ("", ".", "..") or "/" in part or not _plain(part) for part in parts):
        raise Invalid("sysctls", "%r is no name of a kernel parameter" % name)
    return "/".join(parts)


def _plain(part: str) -> bool:
    return part.isascii() and all(char.isalnum() or char in "._-:@+" for char in part)


def read(name: str, root: str = ROOT) -> str:
    """The value without the final newline."""
    fd = _open(name, root, os.O_RDONLY)
    with open(fd, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read().rstrip("\n")


def write(name: str, value: t.Union[str, int], root: str = ROOT) -> None:
    """In one write(2), as the kernel wants it."""
    fd = _open(name, root, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, os.fsencode(str(value)) + b"\n")
    finally:
        os.close(fd)


def can_write(name: str) -> None:
    """Whether the calling thread could, in the namespaces that it is in. OSError says why not."""
    os.close(_open(name, ROOT, os.O_WRONLY))


def _open(name: str, root: str, flags: int) -> int:
    """Never through a link or a mount below the root: what looks like /proc/sys may have been prepared by somebody else."""
    path = path_of(name)
    folder = rootpath.open_root(root)
    try:
        if root == ROOT and not is_procfs(folder):
            raise Unsupported("open", root, "no proc file system is mounted there")
        if is_missing("openat2"):
            return rootpath.open_in(folder, path, flags | os.O_NOFOLLOW)
        return rootpath.openat2(folder, path, flags=flags | os.O_CLOEXEC, resolve=_RESOLVE)
    finally:
        os.close(folder)

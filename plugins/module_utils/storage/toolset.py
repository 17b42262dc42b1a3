# SPDX-License-Identifier: BSD-2-Clause
"""A private Python, shell and basic programs for tasks in containers that have none: the host's own, made to run from one directory.

Programs name their loader, and the loader looks for libraries by a cache file. Both names are put in as this directory's, so programs of
the tools find the tools' libraries and nothing else, and programs of the container never do. No variable is needed for it.
Not here: which files (hostfiles.py), and making them visible to a task (runtime/enter.py).
"""
from __future__ import annotations

import functools
import os
import re
import shutil
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.lent import POINT
from ansible_collections.cocker.engine.plugins.module_utils.storage import elf, hostfiles, treecopy

_LOADER, _CACHE, _PRELOAD = POINT + "/ld", POINT + "/c", POINT + "/p"
_NAMES = ((b"/etc/ld.so.cache\0", _CACHE), (b"/etc/ld.so.preload\0", _PRELOAD))
_LIBRARY = re.compile(r"\.so(\.[0-9.]+)?$")
_FLAGS = {62: 0x0303, 183: 0x0A03}      # of ld.so.cache by architecture: the C library's own, 64 bits (elf.h, dl-cache.h)
_HEADER, _ENTRY = struct.Struct("<20sIIBBBBIIII"), struct.Struct("<iIIIQ")
_LITTLE = 2
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def build(target: str) -> None:
    """Into a directory that does not exist yet; what is there under this name with a suffix of ours is replaced. Raises Unsupported."""
    own = elf.read(hostfiles.python())
    if own is None or not own.interpreter or own.machine[2] not in _FLAGS:
        raise Unsupported("make tools", hostfiles.python(), "only Pythons of 64-bit glibc hosts on x86 and ARM can be lent to a container")
    staging = target + ".new"
    fs.remove_tree(staging)
    os.mkdir(staging, 0o700)
    os.chmod(staging, 0o755)
    files = hostfiles.gather()
    _copy_all(staging, files, own.interpreter)
    _write_loader(staging, own.interpreter)
    _write(staging + "/c", cache(_libraries(files), _FLAGS[own.machine[2]]))
    _link_programs(staging, files)
    fs.sync_filesystem(staging)
    os.rename(staging, target)


def _copy_all(root: str, files: hostfiles.Files, interpreter: str) -> None:
    for path, facts in sorted(files.files.items()):
        os.makedirs(os.path.dirname(root + path), mode=0o755, exist_ok=True)
        with open(path, "rb") as source:
            fd = os.open(root + path, _NEW, 0o600)
            try:
                treecopy.copy_data(source.fileno(), fd, facts.st_size)
                os.fchmod(fd, facts.st_mode & 0o755 | 0o444)
                _lend_loader(fd, interpreter)
                os.utime(fd, ns=(facts.st_mtime_ns, facts.st_mtime_ns))     # compiled Python names the time of its source
            finally:
                os.close(fd)
    for path, link in sorted(files.links.items()):
        os.makedirs(os.path.dirname(root + path), mode=0o755, exist_ok=True)
        os.symlink(POINT + link if link.startswith("/") else link, root + path)
    for folder, below, _names in os.walk(root):
        for name in below:
            os.chmod(os.path.join(folder, name), 0o755, follow_symlinks=True)


def _lend_loader(fd: int, interpreter: str) -> None:
    """Where the program names its loader, near the start of the file."""
    head = os.pread(fd, 4096, 0)
    wanted = os.fsencode(interpreter) + b"\0"
    place = head.find(wanted) if head[:4] == b"\x7fELF" else -1
    if place >= 0:
        os.pwrite(fd, os.fsencode(_LOADER).ljust(len(wanted), b"\0"), place)


def _write_loader(root: str, interpreter: str) -> None:
    with open(os.path.realpath(interpreter), "rb") as stream:
        content = stream.read()
    for name, ours in _NAMES:
        if name not in content:
            raise Unsupported("make tools", interpreter, "this loader is of another kind than glibc's")
        content = content.replace(name, os.fsencode(ours).ljust(len(name), b"\0"))
    _write(root + "/ld", content)
    os.chmod(root + "/ld", 0o755)


def _write(path: str, content: bytes) -> None:
    with open(path, "xb") as stream:
        stream.write(content)
    os.chmod(path, 0o644)


def _libraries(files: hostfiles.Files) -> t.Dict[str, str]:
    """Name -> path as the task sees it, also by the links that the names of libraries mostly are."""
    found: t.Dict[str, str] = {}
    for path in (*files.files, *files.links):
        if _LIBRARY.search(path) and "/lib-dynload/" not in path:
            found.setdefault(os.path.basename(path), POINT + path)
    return found


def _link_programs(root: str, files: hostfiles.Files) -> None:
    os.mkdir(root + "/path", 0o755)
    for path in (*files.files, *files.links):
        name = os.path.basename(path)
        if os.path.dirname(path) in hostfiles.DIRECTORIES and not os.path.lexists(root + "/path/" + name) and shutil.which(name):
            os.symlink(".." + path, root + "/path/" + name)
    if not os.path.lexists(root + "/path/python3"):
        os.symlink(".." + hostfiles.python(), root + "/path/python3")


def cache(libraries: t.Mapping[str, str], flags: int) -> bytes:
    """Pure: a ld.so.cache in the form that every glibc since 2.2 reads. The loader searches by halving, so the order is its own."""
    names = sorted(libraries, key=functools.cmp_to_key(_compared), reverse=True)
    start = _HEADER.size + _ENTRY.size * len(names)
    entries, text = [], b""
    for name in names:
        path = libraries[name]
        entries.append(_ENTRY.pack(flags, start + len(text), start + len(text) + len(os.fsencode(name)) + 1, 0, 0))
        text += os.fsencode(name) + b"\0" + os.fsencode(path) + b"\0"
    return _HEADER.pack(b"glibc-ld.so.cache1.1", len(names), len(text), _LITTLE, 0, 0, 0, 0, 0, 0, 0) + b"".join(entries) + text


def _compared(one: str, other: str) -> int:
    """As the loader compares names: numbers by their value, and before everything else."""
    for mine, its in zip(_parts(one), _parts(other)):
        if mine != its:
            if mine.isdigit() and its.isdigit():
                return int(mine) - int(its)
            return 1 if mine.isdigit() else -1 if its.isdigit() else ord(mine) - ord(its)
    return len(_parts(one)) - len(_parts(other))


def _parts(name: str) -> t.List[str]:
    return re.findall(r"[0-9]+|[^0-9]", name)

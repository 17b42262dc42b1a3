# SPDX-License-Identifier: BSD-2-Clause
"""What a program needs to run, read from the program itself: its loader and its libraries (elf(5), ld.so(8)).

ldd is not used: it runs the program's loader. Not here: what is copied (hostfiles.py).
"""
from __future__ import annotations

import os
import struct
import typing as t

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 15, 29
_LARGEST_TABLE = 16 << 20
_CACHE = "/etc/ld.so.cache"
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = struct.Struct("<20sII")         # magic, entries, bytes of text
_CACHE_ENTRIES_AT, _CACHE_ENTRY = 48, struct.Struct("<iIIIQ")       # flags, name, path, kernel version, hardware
_DEFAULT_DIRECTORIES = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


class Elf(t.NamedTuple):
    """`machine` is class, byte order and architecture: only equal ones go together."""

    path: str
    machine: t.Tuple[int, int, int]
    interpreter: str
    needed: t.Tuple[str, ...]
    rpath: t.Tuple[str, ...]
    runpath: t.Tuple[str, ...]


def read(path: str) -> t.Optional[Elf]:
    """None for what is no ELF file, or a damaged one."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
            return _parse(path, head, stream.fileno()) if head[:4] == b"\x7fELF" and len(head) == 64 else None
    except (OSError, struct.error, ValueError, IndexError, OverflowError):
        return None


def _parse(path: str, head: bytes, fd: int) -> Elf:
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    kind, architecture = struct.unpack_from(order + "HH", head, 16)
    offset = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    table = os.pread(fd, min(size * count, _LARGEST_TABLE), offset)
    segments = [_segment(table, index * size, order, wide) for index in range(count)]
    interpreter = next((_text(os.pread(fd, length, at), 0) for type_, at, _address, length in segments if type_ == _PT_INTERP), "")
    dynamic = next((os.pread(fd, length, at) for type_, at, _address, length in segments if type_ == _PT_DYNAMIC), b"")
    entry = struct.Struct(order + ("qQ" if wide else "iI"))
    tags = list(entry.iter_unpack(dynamic[: len(dynamic) // entry.size * entry.size]))
    single = dict(reversed(tags))
    strings = b""
    if _DT_STRTAB in single:
        at = _offset(single[_DT_STRTAB], segments)
        strings = os.pread(fd, min(single.get(_DT_STRSZ, 0), _LARGEST_TABLE), at)

    def paths(tag: int) -> t.Tuple[str, ...]:
        return tuple(part for part in _text(strings, single[tag]).split(":") if part) if tag in single else ()

    needed = tuple(_text(strings, value) for tag, value in tags if tag == _DT_NEEDED)
    return Elf(path, (head[4], head[5], architecture), interpreter, needed, paths(_DT_RPATH), paths(_DT_RUNPATH))


def _segment(table: bytes, at: int, order: str, wide: bool) -> t.Tuple[int, int, int, int]:
    """Type, offset in the file, address in memory, bytes in the file."""
    if wide:
        type_, _flags, offset, address, _physical, length = struct.unpack_from(order + "IIQQQQ", table, at)
    else:
        type_, offset, address, _physical, length = struct.unpack_from(order + "IIIII", table, at)
    return type_, offset, address, min(length, _LARGEST_TABLE) if type_ != _PT_LOAD else length


def _offset(address: int, segments: t.Iterable[t.Tuple[int, int, int, int]]) -> int:
    for type_, offset, start, length in segments:
        if type_ == _PT_LOAD and start <= address < start + length:
            return offset + address - start
    raise ValueError("no segment holds the address")


def _text(strings: bytes, at: int) -> str:
    return os.fsdecode(strings[at:strings.index(b"\0", at)])


class Libraries:
    """Finds libraries as the host's loader would, without running it."""

    def __init__(self, cache: str = _CACHE) -> None:
        self._cache = _read_cache(cache)
        self._known: t.Dict[t.Tuple[str, t.Tuple[int, int, int]], t.Optional[str]] = {}

    def closure(self, path: str) -> t.Tuple[t.List[str], t.List[str]]:
        """Paths of all that `path` loads, its loader first; and the names of what the host does not have."""
        first = read(path)
        if first is None:
            return [], []
        found: t.Dict[str, None] = dict.fromkeys([first.interpreter] if first.interpreter else [])
        missing: t.List[str] = []
        pending: t.List[t.Tuple[Elf, t.Tuple[str, ...]]] = [(first, ())]
        while pending:
            elf, inherited = pending.pop()
            # DT_RPATH also counts for what is loaded further down, DT_RUNPATH for this file only and instead of it.
            rpath = () if elf.runpath else _expanded(elf.rpath, elf.path) + inherited
            for name in elf.needed:
                library = self.find(name, elf, rpath + _expanded(elf.runpath, elf.path))
                if library is None:
                    missing.append(name)
                elif library not in found:
                    found[library] = None
                    below = read(library)
                    pending += [(below, rpath)] if below is not None else []
        return list(found), missing

    def find(self, name: str, elf: Elf, directories: t.Sequence[str] = ()) -> t.Optional[str]:
        if "/" in name:
            return name if os.path.isfile(name) else None
        for directory in directories:
            path = os.path.join(directory, name)
            if _fits(path, elf.machine):
                return path
        key = (name, elf.machine)
        if key not in self._known:
            usual = [*self._cache.get(name, ()), *(os.path.join(each, name) for each in _usual_directories(elf.interpreter))]
            self._known[key] = next((path for path in usual if _fits(path, elf.machine)), None)
        return self._known[key]


def _fits(path: str, machine: t.Tuple[int, int, int]) -> bool:
    try:
        with open(path, "rb") as stream:
            head = stream.read(20)
    except OSError:
        return False
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return False
    return (head[4], head[5], struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)[0]) == machine


def _expanded(paths: t.Iterable[str], origin: str) -> t.Tuple[str, ...]:
    folder = os.path.dirname(os.path.realpath(origin))
    replaced = (path.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", folder) for path in paths)
    return tuple(os.path.normpath(path) for path in replaced if path.startswith("/") and "$" not in path)


def _usual_directories(interpreter: str) -> t.List[str]:
    """Debian's loader also knows the directory of its own architecture, which is where the loader lies."""
    own = [os.path.dirname(os.path.realpath(interpreter))] if interpreter else []
    return own + ["/usr" + path if not path.startswith("/usr") else path for path in own] + list(_DEFAULT_DIRECTORIES)


def _read_cache(path: str) -> t.Dict[str, t.List[str]]:
    """Name -> paths of the host's ld.so.cache; empty where there is none (musl), or where it is of another kind."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(_LARGEST_TABLE)
        start = content.index(_CACHE_MAGIC)
        _magic, count, _size = _CACHE_HEADER.unpack_from(content, start)
        found: t.Dict[str, t.List[str]] = {}
        for index in range(count):
            entry = _CACHE_ENTRY.unpack_from(content, start + _CACHE_ENTRIES_AT + index * _CACHE_ENTRY.size)
            _flags, name, target, _kernel, hardware = entry
            if not hardware:        # the others are for better processors only
                found.setdefault(_text(content, start + name), []).append(_text(content, start + target))
        return found
    except (OSError, ValueError, struct.error, IndexError):
        return {}

# SPDX-License-Identifier: BSD-2-Clause
"""Which of the host's own files make a small root file system: programs, their libraries, Python. Reads only.

Not here: the copying, and the files that are written for the image (hostimage.py).
"""
from __future__ import annotations

import os
import stat
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import elf

REQUIRED = ("sh",)
OPTIONAL = tuple("""
    awk basename bash cat chmod chown clear cp cut date dd df dirname du echo env expr false file find free getent grep gzip
    head hostname id ifconfig install ip kill less ln locale ls md5sum mkdir mkfifo mknod mktemp more mount mv nc netstat nice nohup
    nproc od paste ping printenv printf ps pwd readlink realpath rm rmdir route sed seq setpriv setsid sha256sum sleep sort ss
    stat stdbuf stty sync tail tar tee telnet test timeout top touch tr true truncate tty umount uname uniq vi wc which whoami
    xargs yes
""".split())
DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Loaded by the C library by name, so no program says that it needs them; older than 2.34 has them as files.
_PLUGINS = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
_EXTRAS = (
    "/etc/ld.so.cache", "/etc/protocols", "/etc/services", "/etc/mime.types",
    "/lib/terminfo/x/xterm", "/lib/terminfo/x/xterm-256color", "/lib/terminfo/l/linux", "/lib/terminfo/s/screen", "/lib/terminfo/v/vt100",
    "/usr/share/terminfo/x/xterm", "/usr/share/terminfo/x/xterm-256color", "/usr/share/terminfo/l/linux", "/usr/share/terminfo/v/vt100",
)
# No container needs them, and they are most of the bytes.
_NOT_PYTHON = frozenset((
    "test", "tests", "idlelib", "ensurepip", "site-packages", "dist-packages", "lib2to3", "turtledemo", "tkinter", "pydoc_data",
))
_MERGED = ("/bin", "/sbin", "/lib")             # links on a host whose /usr is merged
_LINKS = 40


class Files:
    """A set of paths of the host, with the links on the way to each kept as links: usr-merge stays usr-merge."""

    def __init__(self) -> None:
        self.files: t.Dict[str, os.stat_result] = {}
        self.links: t.Dict[str, str] = {}
        self._libraries = elf.Libraries()

    def add(self, path: str) -> t.Optional[str]:
        """With every link on the way. The real path; None if it leads to no file."""
        real = self._trace(path)
        facts = _facts(real)
        if facts is None or not stat.S_ISREG(facts.st_mode):
            return None
        self.files[real] = facts
        return real

    def add_link(self, path: str) -> None:
        """The link itself, if it is one."""
        if os.path.islink(path):
            self.links[path] = os.readlink(path)

    def _trace(self, path: str) -> str:
        pending, at, links = path.split("/")[::-1], "", 0
        while pending:
            name = pending.pop()
            if name == "..":
                at = os.path.dirname(at).rstrip("/")
            if name in ("", ".", ".."):
                continue
            here = at + "/" + name
            if links < _LINKS and os.path.islink(here):
                target = os.readlink(here)
                self.links[here] = target
                links += 1
                pending.extend(reversed(target.split("/")))
                at = "" if target.startswith("/") else at
                continue
            at = here
        return at or "/"

    def add_program(self, path: str) -> bool:
        """With its libraries, or not at all."""
        libraries, missing = self._libraries.closure(os.path.realpath(path))
        if missing or self.add(path) is None:
            return False
        for library in libraries:
            self.add(library)
        return True

    def find_library(self, name: str) -> t.Optional[str]:
        like = elf.read(os.path.realpath(sys.executable))
        return self._libraries.find(name, like) if like is not None else None


def _facts(path: str) -> t.Optional[os.stat_result]:
    try:
        return os.stat(path)
    except OSError:
        return None


def gather(programs: t.Optional[t.Sequence[str]] = None) -> Files:
    """The usual programs (those that the host has) or exactly these (each must be there); always a shell and Python. Raises NotFound."""
    found = Files()
    for directory in _MERGED:
        found.add_link(directory)
    for name in dict.fromkeys((*REQUIRED, *(programs or ()))):
        path = name if name.startswith("/") else _which(name)
        if path is None or not found.add_program(path):
            raise NotFound("program", name, "the host does not have it, or not all of its libraries")
    for name in OPTIONAL if programs is None else ():
        path = _which(name)
        if path is not None:
            found.add_program(path)
    _add_python(found)
    for name in _PLUGINS:
        library = found.find_library(name)
        if library is not None:
            found.add_program(library)
    for extra in _EXTRAS:
        found.add(extra)
    return found


def _which(name: str) -> t.Optional[str]:
    candidates = (os.path.join(directory, name) for directory in DIRECTORIES)
    return next((path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def python() -> str:
    """The real interpreter that runs this: neither a virtual environment's nor a wrapper's."""
    return os.path.realpath(sys.executable)


def _add_python(found: Files) -> None:
    """Where it is on the host, because it finds its library from there; /usr/bin/python3 leads to it."""
    if not found.add_program(python()):
        return
    usual = "/usr/bin/python3"
    found.files.pop(usual, None)
    if python() != usual:
        found.links[usual] = python()
    library = os.path.dirname(os.path.realpath(os.__file__))
    own = ".%s.pyc" % sys.implementation.cache_tag
    for folder, below, names in os.walk(library):
        below[:] = sorted(name for name in below if name not in _NOT_PYTHON and not name.startswith("config-"))
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".so"):
                if not name.startswith("_tkinter") and not name.startswith("_test"):
                    found.add_program(path)
            elif name.endswith((".py", own)) or name == "_sysconfigdata.json":
                found.add(path)

# SPDX-License-Identifier: BSD-2-Clause
"""Serves the collection's files from what earlier tasks compiled: Ansible ships sources, and a task that finds nothing to do would spend
most of its time compiling them. What a task compiles, and then changes the host, it adds to the store, one file below cocker_home.

Not here: the engine's own copy for what outlives a task (engine/bundle.py).
"""
from __future__ import annotations

import contextlib
import hashlib
import json
import marshal
import os
import stat
import sys
import types
import typing as t
import zipfile
import zipimport

PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils."
DEFAULT_HOME = "/var/cocker"
_DIGEST = 32                                            # bytes of sha256 before the content: a file cut short by a power loss is none
_Source = t.Tuple[int, int]                             # CRC and size, as the payload's directory has them
_Codes = t.Dict[str, t.Tuple[_Source, bytes]]           # name of a module -> what it was compiled from, and the code

_finders: t.List[Finder] = []


def use() -> None:
    """To be called before other files of the collection are imported. Does nothing outside of a payload's archive, which Ansible opens."""
    archive = archive_of_payload()
    if archive is None or _finders or "ansible" not in sys.modules:
        return
    with zipfile.ZipFile(archive) as payload:
        sources = {info.filename: (info.CRC, info.file_size) for info in payload.infolist()}
    _finders.append(Finder(sources, os.path.join(_home(), "engine", "modules-" + str(sys.implementation.cache_tag))))
    sys.meta_path.insert(0, _finders[0])


def archive_of_payload() -> t.Optional[str]:
    """None where the files come from elsewhere."""
    return getattr(__spec__.loader, "archive", None) if __spec__ else None


def save() -> None:
    """After a task that changed the host; where everything came from the store already, nothing is written."""
    for finder in _finders:
        finder.save()


def _home() -> str:
    """Only to look for a file; the option itself is read with the others, by AnsibleModule."""
    from ansible.module_utils import basic

    try:
        given = json.loads(basic._ANSIBLE_ARGS)["ANSIBLE_MODULE_ARGS"].get("cocker_home")
    except (TypeError, ValueError, KeyError, AttributeError):
        given = None
    found = given or os.environ.get("COCKER_HOME")
    return found if isinstance(found, str) else DEFAULT_HOME


class Finder:
    """Finder and loader (importlib.abc) of single files; packages stay the archive's."""

    def __init__(self, sources: t.Mapping[str, _Source], path: str) -> None:
        self._sources, self._path = sources, path
        self._stored = load(path)
        self._compiled: _Codes = {}

    def find_spec(self, name: str, path: t.Optional[t.Sequence[str]] = None, _target: t.Any = None) -> t.Any:
        file = name.replace(".", "/") + ".py"
        if not name.startswith(PACKAGE) or not path or file not in self._sources:
            return None
        spec = type(__spec__)(name, self, origin=os.path.join(path[0], file.rpartition("/")[2]))    # type: ignore[arg-type]
        spec.has_location = True
        return spec

    def create_module(self, _spec: t.Any) -> None:
        """The usual kind."""

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        source = self._sources[name.replace(".", "/") + ".py"]
        known = self._stored.get(name)
        if known is not None and known[0] == source:
            code = marshal.loads(known[1])
        else:
            code = zipimport.zipimporter(os.path.dirname(str(module.__file__))).get_code(name)
            self._compiled[name] = (source, marshal.dumps(code))
        exec(code, module.__dict__)

    def get_source(self, name: str) -> t.Optional[str]:
        """For tracebacks."""
        return zipimport.zipimporter(os.path.dirname(str(sys.modules[name].__file__))).get_source(name)

    def save(self) -> None:
        if self._compiled and is_private(os.path.dirname(self._path)):
            with contextlib.suppress(OSError):          # without it the next task is as slow as this one
                store(self._path, {**self._stored, **self._compiled})
            self._compiled = {}


def load(path: str) -> _Codes:
    """Empty where there is nothing, or nothing that only we can have written for this interpreter."""
    folder = os.path.dirname(path)
    content = read(path) if is_private(os.path.dirname(folder)) and is_private(folder) else None
    if content is None:
        return {}
    version, codes = marshal.loads(content)
    return codes if version == sys.version else {}


def read(path: str) -> t.Optional[bytes]:
    """What write() has written. Its folder is the caller's care; None where others can have written the file, and where it is not whole."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as stream:
        content = stream.read() if _is_ours(os.fstat(fd)) else b""
    return content[_DIGEST:] if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST] else None


def store(path: str, codes: _Codes) -> None:
    write(path, marshal.dumps((sys.version, codes)))


def write(path: str, content: bytes) -> None:
    """With its digest before it, at once or not at all."""
    temporary = "%s.tmp-%d" % (path, os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as stream:
            stream.write(hashlib.sha256(content).digest() + content)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def is_private(folder: str) -> bool:
    try:
        facts = os.stat(folder, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and _is_ours(facts)


def _is_ours(facts: os.stat_result) -> bool:
    """What others could have written is never run."""
    return facts.st_uid == os.geteuid() and not facts.st_mode & 0o022

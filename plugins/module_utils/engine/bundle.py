# SPDX-License-Identifier: BSD-2-Clause
"""The engine's own copy on the host, $COCKER_HOME/engine/<digest>/: what outlives a module runs from there, byte-compiled.

A module's payload is an archive that is deleted when the module ends, so nothing that goes on may import from it.
Not here: what is run from the copy (init/, engine/reap.py) and its collection when it is no longer used.
"""
from __future__ import annotations

import errno
import functools
import hashlib
import os
import sys
import typing as t
import zipfile

from ansible_collections.cocker.engine.plugins.module_utils.engine import reap
from ansible_collections.cocker.engine.plugins.module_utils.init import main as init_main
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import jsontext, unfolded
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

if t.TYPE_CHECKING:     # so that a task is sent it
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import foreign  # noqa: F401

PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils"
REAP = reap.__name__
# What is run, what each class of it is made of, and what made it so: another way to compile is another engine.
ROOTS = (
    init_main.__name__, REAP, unfolded.__name__, jsontext.__name__, PACKAGE + ".kernel.foreign", PACKAGE + ".engine.unfolding",
)

_PREFIX = PACKAGE.replace(".", "/") + "/"
_STAGING = ".new"
_PATIENCE = 120.0  # seconds that another task may take to install the same engine
NAME_LENGTH = 16
_PYTHON_DIGEST = NAME_LENGTH  # hex digits: enough to tell versions of one engine apart


@functools.lru_cache(maxsize=None)
def python() -> str:
    """The real interpreter, so that a virtual environment may go while containers stay."""
    return os.path.realpath(sys.executable)


def install(engines: str) -> str:
    """The directory of this engine below `engines`. Idempotent; a copy that is there is not touched."""
    known = os.path.join(engines, ".known-" + _fingerprint())
    found = _ready(os.path.join(engines, os.readlink(known))) if os.path.islink(known) else ""
    if found:
        return found
    sources = closure(_read_all(), ROOTS)
    target = os.path.join(engines, _digest(sources))
    with fs.lock(os.path.join(engines, ".lock"), timeout=_PATIENCE):
        if not _ready(target):
            _install(sources, target)
            _compile(sources, target)
            fs.sync_filesystem(target)  # the marker must not survive a power cut that the files did not
            fs.write_atomic(_marker(target), b"")
        with tolerate(errno.ENOENT):
            os.unlink(known)
        os.symlink(os.path.basename(target), known)
    return target


def own_name() -> str:
    """The name of the directory that this engine has, or would have."""
    return _digest(closure(_read_all(), ROOTS))


def _ready(target: str) -> str:
    return target if os.path.exists(_marker(target)) else ""


def _marker(target: str) -> str:
    return os.path.join(target, ".compiled-" + sys.implementation.cache_tag)


def _fingerprint() -> str:
    """Tells payloads apart without reading what is in them: a tenth of the time that the digest of the sources takes."""
    kept = getattr(__spec__.loader, "key", None) if __spec__ else None
    if kept is not None:        # this runs from what the host keeps of a module (edge/kept.py)
        return hashlib.sha256(repr((ROOTS, kept)).encode()).hexdigest()[:_PYTHON_DIGEST]
    root = _root()
    if os.path.isdir(root):
        names = sorted(os.path.join(folder, name) for folder, _below, files in os.walk(os.path.join(root, _PREFIX)) for name in files)
        facts = [(name, status.st_size, status.st_mtime_ns) for name in names if name.endswith(".py") for status in [os.stat(name)]]
    else:
        with zipfile.ZipFile(root.rstrip("/")) as archive:
            facts = sorted((info.filename, info.file_size, info.CRC) for info in archive.infolist() if info.filename.startswith(_PREFIX))
    return hashlib.sha256(repr((ROOTS, facts)).encode("utf-8", "surrogateescape")).hexdigest()[:_PYTHON_DIGEST]


def _root() -> str:
    """Where the package is imported from: a directory, or the payload's archive; ends with a slash."""
    here = os.path.abspath(__file__)
    return here[: here.index(os.path.join("", *PACKAGE.split("."), ""))]


def _install(sources: t.Mapping[str, bytes], target: str) -> None:
    """Under the lock, so that what has a name of ours is what a task left that was killed."""
    staging = target + _STAGING
    fs.remove_tree(staging)
    if not os.path.isdir(target):
        _write(sources, staging)
        fs.sync_filesystem(staging)
        os.rename(staging, target)


def command(engine: str, entry: str, *arguments: str) -> t.List[str]:
    """argv that runs `entry.main(arguments)` of an installed engine, alone: no site, no environment, no user paths."""
    code = "import sys; sys.path.insert(0, %r); from %s import %s as entry; entry.main(sys.argv[1:])"
    package, _dot, name = entry.rpartition(".")
    return [python(), "-I", "-S", "-X", "utf8", "-c", code % (engine, package, name), *arguments]


def closure(sources: t.Mapping[str, bytes], roots: t.Iterable[str]) -> t.Dict[str, bytes]:
    """Relative path -> source of everything that `roots` import, at whatever depth."""
    found: t.Dict[str, bytes] = {}
    todo = [root.replace(".", "/") + ".py" for root in roots]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found[path] = sources[path]
        todo.extend(_imported(sources[path].decode("utf-8"), sources))
    return found


def _imported(text: str, sources: t.Mapping[str, bytes]) -> t.List[str]:
    """Our style has one form of import, `from PACKAGE.layer import name, …`, which may be wrapped in parentheses."""
    paths: t.List[str] = []
    for statement in text.split("from " + PACKAGE)[1:]:
        package, _import, rest = statement.partition(" import ")
        names = rest[1:rest.index(")")] if rest.startswith("(") else rest.split("\n", 1)[0]
        base = (PACKAGE + package).replace(".", "/")
        candidates = [base, *(base + "/" + name.split()[0] for name in names.split(",") if name.strip())]
        paths.extend(path + ".py" for path in candidates if path + ".py" in sources)
    return paths


def _read_all() -> t.Dict[str, bytes]:
    """Every source of the collection that this process can import, from the payload's archive or from a directory."""
    kept = getattr(__spec__.loader, "sources", None) if __spec__ else None
    if kept is not None:
        return t.cast(t.Dict[str, bytes], kept())
    root = _root()
    if os.path.isdir(root):
        return _read_directory(root)
    with zipfile.ZipFile(root.rstrip("/")) as archive:
        names = [name for name in archive.namelist() if name.startswith(_PREFIX) and name.endswith(".py")]
        return {name: archive.read(name) for name in names}


def _read_directory(root: str) -> t.Dict[str, bytes]:
    found = {}
    for directory, _below, files in os.walk(os.path.join(root, _PREFIX)):
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(directory, name)
                with open(path, "rb") as source:
                    found[os.path.relpath(path, root)] = source.read()
    return found


def _digest(sources: t.Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(b"%s %d\n" % (path.encode("utf-8"), len(sources[path])))
        digest.update(sources[path])
    return digest.hexdigest()[:_PYTHON_DIGEST]


def _write(sources: t.Mapping[str, bytes], top: str) -> None:
    """With explicit packages, which are found faster than namespace packages. Nobody but root reads or writes it, whatever the umask."""
    folders = {os.path.dirname(path) for path in sources}
    packages = {"/".join(folder.split("/")[:depth]) for folder in folders for depth in range(1, folder.count("/") + 2)}
    os.mkdir(top, 0o700)
    for folder in sorted(packages):
        os.mkdir(os.path.join(top, folder), 0o700)
    for path, source in {**{folder + "/__init__.py": b"" for folder in packages}, **sources}.items():
        fd = os.open(os.path.join(top, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(source)


def _compile(sources: t.Mapping[str, bytes], target: str) -> None:
    folders = {os.path.dirname(path) for path in sources}
    parents = {"/".join(folder.split("/")[:depth]) for folder in folders for depth in range(1, folder.count("/") + 2)}
    for folder in parents:
        os.makedirs(os.path.join(target, folder, "__pycache__"), mode=0o700, exist_ok=True)
        _write_code(os.path.join(target, folder, "__init__.py"), b"")
    for path, source in sources.items():
        _write_code(os.path.join(target, path), source)


def _write_code(path: str, source: bytes) -> None:
    """Unchecked, as nobody changes a copy (PEP 552)."""
    import importlib.util  # only the first task after an upgrade pays for these
    import marshal

    from ansible_collections.cocker.engine.plugins.module_utils.engine import unfolding
    code = marshal.dumps(unfolding.compiled(source, path))
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    fd = os.open(importlib.util.cache_from_source(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(head + code)

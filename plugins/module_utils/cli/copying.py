# SPDX-License-Identifier: BSD-2-Clause
"""Makes the compiled copy of an archive, from which begin.py goes on: once after each upgrade of the `cocker` command.

A copy has the sources, and their code in a few files: of begin.py itself, of all modules by name, and for commands that are run often
of all that they begin with (engine/linking.py). All but the first are made by the first call that asks for them. Not here: who may write
it (boot.py), and reading it (begin.py).
"""
from __future__ import annotations

import ctypes
import marshal
import os
import shutil
import tempfile
import typing as t
import zipfile

PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils."
UNFOLDING, LINKING, WARM = "engine/unfolding.py", "engine/linking.py", "oci/warm.py"
FIRST, LOWER, UPPER = "first", "lower", "upper"     # as in begin.py, which imports this
_LOWER = ("model", "kernel", "runtime", "oci")
_BOTH = ("cli", "cli.protecting")           # which the runtime begins with, too
# As begin.ENTERING names them: the modules that a verb's own imports.
BEGINNINGS = {"begin-run": ("oci.main", "oci.foreground"), "begin-exec": ("oci.main", "oci.enter")}


def install(archive: str, target: str) -> None:
    """All or nothing; of several at once the first wins. What a killed one left has a dot, and goes with the next prune."""
    staging = tempfile.mkdtemp(prefix=".cli-", dir=os.path.dirname(target))
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(staging)
        with open(os.path.join(staging, FIRST), "wb") as stream:
            stream.write(_first(staging, target))
        sync(staging)
        os.rename(staging, target)
    except OSError:
        if not os.path.isdir(target):
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def sync(folder: str) -> None:
    """The name must not survive a power cut that the files did not: the service that starts containers at boot runs from them."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).syncfs(fd)
    finally:
        os.close(fd)


def complete(copy: str, file: str) -> None:
    """Makes one of the files of a copy; where it cannot be kept, that is OSError before any work.

    A host on which people look around, and one that runs bundles, need different ones.
    """
    fd, temporary = tempfile.mkstemp(prefix="." + file, dir=copy)
    try:
        with open(fd, "wb") as stream:
            stream.write(_linked(copy, file) if file in BEGINNINGS else _joined(copy, file))
            stream.flush()
            os.fsync(fd)
        os.rename(temporary, os.path.join(copy, file))
    except BaseException:
        os.unlink(temporary)
        raise


def _first(staging: str, target: str) -> bytes:
    name = PACKAGE.replace(".", "/") + "cli/begin.py"
    return marshal.dumps(_tool(staging, UNFOLDING)["compiled"](_read(os.path.join(staging, name)), os.path.join(target, name)))


def _sources(copy: str, file: str) -> t.Dict[str, t.Tuple[str, str]]:
    """Module -> its source below the copy, and in full; those of LOWER, or of UPPER."""
    found = {}
    for folder, _folders, names in os.walk(copy):
        for path in [os.path.join(folder, name) for name in names if name.endswith(".py") and folder != copy]:
            name = os.path.relpath(path, copy)
            module = (name[:-len("/__init__.py")] if name.endswith("/__init__.py") else name[:-len(".py")]).replace("/", ".")
            inner = module[len(PACKAGE):]
            lower = inner.partition(".")[0] in ("", *_LOWER) or inner in _BOTH
            if lower == (file != UPPER):
                found[module] = name, path
    return dict(sorted(found.items()))


def _linked(copy: str, file: str) -> bytes:
    unfolding, linking, warm = (_tool(copy, name) for name in (UNFOLDING, LINKING, WARM))
    sources = {module: (path, _read(path)) for module, (_name, path) in _sources(copy, LOWER).items()}
    made: bytes = linking["linked"](sources, [PACKAGE + root for root in BEGINNINGS[file]], warm["WARM"], warm["FORKED"], unfolding)
    return made


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _tool(staging: str, file: str) -> t.Dict[str, t.Any]:
    """What a file of the copy defines, which imports nothing of ours."""
    space: t.Dict[str, t.Any] = {"__name__": file}
    exec(_read(os.path.join(staging, PACKAGE.replace(".", "/"), file)), space)
    return space


def _joined(copy: str, file: str) -> bytes:
    compiled = _tool(copy, UNFOLDING)["compiled"]
    index, place, codes = {}, 0, []
    for module, (name, path) in _sources(copy, file).items():
        text = _read(path)
        codes.append(marshal.dumps(compiled(text, path)) if text else b"")
        index[module] = (name, place, len(codes[-1]))
        place += len(codes[-1])
    return marshal.dumps(index) + b"".join(codes)

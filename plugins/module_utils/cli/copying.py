# SPDX-License-Identifier: BSD-2-Clause
"""Makes the compiled copy of an archive, from which begin.py goes on: once after each upgrade of the `cocker` command.

A copy has the sources, and their code in a few files: of begin.py itself, of all modules by name, and for commands that are run often
of all that they begin with (engine/linking.py). Not here: who may write it, (boot.py), and reading it (begin.py).
"""
from __future__ import annotations

import ctypes
import marshal
import os
import shutil
import tempfile
import typing as t
import zipfile

from ansible_collections.cocker.engine.plugins.module_utils.cli.begin import FIRST, LOWER, UPPER

PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils."
UNFOLDING, LINKING, WARM = "engine/unfolding.py", "engine/linking.py", "oci/warm.py"
_LOWER = ("model", "kernel", "runtime", "oci")
# As begin.ENTERING names them: the modules that a verb's own imports.
BEGINNINGS = {"begin-run": ("oci.main", "oci.foreground"), "begin-exec": ("oci.main", "oci.enter")}


def install(archive: str, target: str) -> None:
    """All or nothing; of several at once the first wins. What a killed one left has a dot, and goes with the next prune."""
    staging = tempfile.mkdtemp(prefix=".cli-", dir=os.path.dirname(target))
    try:
        with zipfile.ZipFile(archive) as content:
            names = content.namelist()
            content.extractall(staging)
        pack(staging, target, names)
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


def pack(staging: str, target: str, names: t.Sequence[str]) -> None:
    """The compiled files of a copy that will be at `target`."""
    unfolding, linking = _tool(staging, UNFOLDING), _tool(staging, LINKING)
    texts = {name: _read(os.path.join(staging, name)) for name in sorted(names)}
    packs: t.Dict[str, t.Dict[str, t.Tuple[bytes, str]]] = {LOWER: {}, UPPER: {}}
    sources: t.Dict[str, t.Tuple[str, bytes]] = {}
    files = {}
    for name, text in texts.items():
        path = os.path.join(target, name)
        code = marshal.dumps(unfolding["compiled"](text, path)) if text else b""
        module = (name[:-len("/__init__.py")] if name.endswith("/__init__.py") else name[:-len(".py")]).replace("/", ".")
        if name == "__main__.py":
            continue
        if module == PACKAGE + "cli.begin":
            files[FIRST] = code
        lower = module[len(PACKAGE):].partition(".")[0] in ("", *_LOWER)
        packs[LOWER if lower else UPPER][module] = (code, name)
        if lower:
            sources[module] = path, text
    warm = _tool(staging, WARM)
    for file, roots in BEGINNINGS.items():
        files[file] = linking["linked"](sources, [PACKAGE + root for root in roots], warm["WARM"], warm["FORKED"], unfolding)
    for file, content in (*files.items(), *((file, _joined(codes)) for file, codes in packs.items())):
        with open(os.path.join(staging, file), "wb") as stream:
            stream.write(content)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _tool(staging: str, file: str) -> t.Dict[str, t.Any]:
    """What a file of the copy defines, which imports nothing of ours."""
    space: t.Dict[str, t.Any] = {"__name__": file}
    exec(_read(os.path.join(staging, PACKAGE.replace(".", "/"), file)), space)
    return space


def _joined(codes: t.Mapping[str, t.Tuple[bytes, str]]) -> bytes:
    index, place = {}, 0
    for module, (code, name) in codes.items():
        index[module] = (name, place, len(code))
        place += len(code)
    return marshal.dumps(index) + b"".join(code for code, _name in codes.values())

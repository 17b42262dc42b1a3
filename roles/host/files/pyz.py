# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs the engine's tree as the `cocker` command, a zip archive that Python runs: python3 pyz.py COLLECTION TARGET [INTERPRETER]

The same sources give the same bytes, on every machine. Prints `changed` where TARGET was another one before; where TARGET is `-` nothing
is written, and the archive's SHA-256 is printed.
"""
from __future__ import annotations

import hashlib
import io
import os
import pathlib
import shlex
import sys
import typing as t
import zipfile

UTILS = "plugins/module_utils"
PREFIX = "ansible_collections/cocker/engine"
LAYERS = ("cli", "edge", "engine", "init", "kernel", "model", "network", "oci", "registry", "runtime", "storage")
BOOT, START = "cli/boot.py", "cli/start.py"
PROGRAMS = "/run/cocker/python"     # as in cli/begin.py
HEAD = b"""#!/bin/sh
p=%s q=%s u=
case "$0" in *cocker-runtime) u="-X utf8"; [ -x "$q" ] && ! [ "$q" -nt "$p" ] && ! [ "$q" -ot "$p" ] && p=$q;; esac
exec "$p" -I -S $u -c %s "$0" "$@"
"""
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def members(collection: pathlib.Path) -> t.Dict[str, bytes]:
    """Name in the archive -> content. Packages are explicit: Python imports no others from an archive."""
    utils = collection / UTILS
    sources = [path for layer in LAYERS for path in (utils / layer).rglob("*.py")]
    found = {"%s/%s/%s" % (PREFIX, UTILS, path.relative_to(utils)): path.read_bytes() for path in sources}
    folders = {parent for name in found for parent in pathlib.PurePosixPath(name).parents if str(parent) != "."}
    found.update(("%s/__init__.py" % folder, b"") for folder in folders)
    found["__main__.py"] = signed(utils / BOOT, digest(found))
    return found


def digest(content: t.Mapping[str, bytes]) -> bytes:
    told = b"".join(b"%s\0%d\0%s" % (name.encode(), len(content[name]), content[name]) for name in sorted(content))
    return hashlib.sha256(told).hexdigest()[:16].encode()


def signed(source: pathlib.Path, name: bytes) -> bytes:
    return source.read_bytes().replace(b'DIGEST = ""', b'DIGEST = "%s"' % name)


def bare(source: bytes) -> bytes:
    """Without what is above the imports, for people: it is compiled at each call."""
    lines = source.partition(b"from __future__ import annotations\n")[2].splitlines(keepends=True)
    return b"".join(line for line in lines if line.strip())


def head(start: bytes, interpreter: str) -> bytes:
    """A shell, which is there sooner than Python has opened the archive behind it. -I -S: nothing of the caller's environment, user or
    site is run as root. The OCI runtime starts from a mount that a container cannot write to, where there is one of the same interpreter.
    """
    return HEAD % (shlex.quote(interpreter).encode(), shlex.quote(PROGRAMS + interpreter).encode(), shlex.quote(start.decode()).encode())


def pack(content: t.Mapping[str, bytes], start: bytes, interpreter: str) -> bytes:
    packed = io.BytesIO()
    packed.write(head(start, interpreter))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(content):
            info = zipfile.ZipInfo(name, LONG_AGO)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, content[name])
    return packed.getvalue()


def main(arguments: t.Sequence[str]) -> int:
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    collection, target = map(pathlib.Path, arguments[:2])
    content = members(collection)
    start = bare(signed(collection / UTILS / START, digest({name: content[name] for name in content if name != "__main__.py"})))
    archive = pack(content, start, arguments[2] if arguments[2:] else "/usr/bin/python3")
    if arguments[1] == "-":
        print(hashlib.sha256(archive).hexdigest())
        return 0
    if target.exists() and target.read_bytes() == archive:
        return 0
    temporary = target.with_name(target.name + ".new")
    temporary.write_bytes(archive)
    temporary.chmod(0o755)
    os.replace(temporary, target)
    print("changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine's sources as a controller has them: what names them, and all of them as one archive."""
from __future__ import annotations

import hashlib
import io
import os
import tempfile
import typing as t
import zipfile

from ansible import constants
from ansible.module_utils import basic

PACKAGE = "ansible_collections/cocker/engine/plugins/module_utils"
PLUGINS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODULE_UTILS = os.path.join(PLUGINS, "module_utils")


def engine_digest() -> str:
    """Of all sources that a module may bring along. Read once in a run of Ansible, as Ansible itself does it: tasks are processes.

    The hosts of an inventory are threads: each has a temporary file of its own.
    """
    known = os.path.join(constants.DEFAULT_LOCAL_TMP, "cocker-engine-sources")
    try:
        with open(known, encoding="ascii") as stream:
            return stream.read()
    except OSError:
        found = digest([basic.__file__, *below(MODULE_UTILS)])
        with tempfile.NamedTemporaryFile("w", encoding="ascii", prefix=known + "-", delete=False) as stream:
            stream.write(found)
        os.rename(stream.name, known)
        return found


def below(top: str) -> t.List[str]:
    return sorted(os.path.join(folder, name) for folder, _below, files in os.walk(top) for name in files if name.endswith(".py"))


def digest(paths: t.Sequence[str]) -> str:
    found = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            content = stream.read()
        name = path[len(PLUGINS):] if path.startswith(PLUGINS) else ""
        found.update(b"%s %d\n" % (os.fsencode(name), len(content)))
        found.update(content)
    return found.hexdigest()


def engine_archive() -> bytes:
    """A zip file, importable."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        folders = {PACKAGE.split("/", maxsplit=1)[0]}
        names = {PACKAGE + path[len(MODULE_UTILS):]: path for path in below(MODULE_UTILS)}
        for name in names:
            parts = name.split("/")[:-1]
            folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        for folder in sorted(folders):
            archive.writestr(folder + "/__init__.py", b"")
        for name, path in names.items():
            archive.write(path, name)
    return packed.getvalue()

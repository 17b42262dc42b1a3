# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `cocker` packed on the controller: once in a run of Ansible for each interpreter, however many hosts have it."""
from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import typing as t

from ansible import constants

from ansible_collections.cocker.engine.plugins.plugin_utils import sources

INTERPRETER = "/usr/bin/python3"
COLLECTION = os.path.dirname(sources.PLUGINS)
PACKER = os.path.join(COLLECTION, "roles", "host", "files", "pyz.py")


class Command(t.NamedTuple):
    """`path` is on the controller, and is gone when Ansible has ended; `digest` is SHA-256 in hexadecimal digits."""

    path: str
    interpreter: str
    digest: str


def command(interpreter: str) -> Command:
    """Tasks are processes, and some of them threads: the first that is done decides which file is kept; all are the same."""
    name = "cocker-command-" + hashlib.sha256(interpreter.encode()).hexdigest()[:16]
    path = os.path.join(constants.DEFAULT_LOCAL_TMP, name)
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory(prefix=name, dir=constants.DEFAULT_LOCAL_TMP) as folder:
            target = os.path.join(folder, "cocker")
            subprocess.run([sys.executable, PACKER, COLLECTION, target, interpreter], check=True, stdout=subprocess.DEVNULL)
            os.rename(target, path)
    with open(path, "rb") as stream:
        return Command(path, interpreter, hashlib.sha256(stream.read()).hexdigest())

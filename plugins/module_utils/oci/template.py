# SPDX-License-Identifier: BSD-2-Clause
"""`spec`: a config.json to begin with, that runs a shell in `rootfs`."""
from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import records
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults

_FEW = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
_SPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
_FILES = 1024


def config() -> t.Dict[str, t.Any]:
    return {
        "ociVersion": records.OCI_VERSION,
        "process": {
            "terminal": True, "user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": ["PATH=" + defaults.PATH, "TERM=xterm"], "cwd": "/",
            "capabilities": {name: list(_FEW) for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": _FILES, "soft": _FILES}], "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "cocker",
        "mounts": [{"destination": mount.destination, "type": mount.type, "source": mount.source, "options": list(mount.options)}
                   for mount in defaults.MOUNTS],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in _SPACES],
            "maskedPaths": list(defaults.MASKED_PATHS), "readonlyPaths": list(defaults.READONLY_PATHS),
        },
    }


def write(folder: str) -> None:
    """Never over one that is there."""
    path = os.path.join(folder, "config.json")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise CockerError("File %s exists. Remove it first" % path) from error
    with open(fd, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(config(), indent="\t") + "\n")

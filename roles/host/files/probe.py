# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a managed host, with the interpreter that the modules will run on, and prints what it found as JSON. Changes nothing.

usage: python -c "$(cat probe.py)" '{"modules": [...], "commands": [...], "path": "...", "files": [...], "service": "..."}'
"""
from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys

LIBRARIES = {"libnftables": "libnftables.so.1", "libseccomp": "libseccomp.so.2"}
MODULES = "/lib/modules/" + os.uname().release
SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"


def loads(soname):
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def read(path):
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        return ""


def command(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + SBIN)


def module_files(listing):
    """Names in modules.dep or modules.builtin; a dash and an underscore are the same to the kernel."""
    paths = [line.split(":")[0] for line in read(os.path.join(MODULES, listing)).splitlines()]
    return {os.path.basename(path).split(".")[0].replace("-", "_") for path in paths}


def distribution_python():
    real = os.path.realpath(sys.executable)
    return sys.prefix == sys.base_prefix and real.startswith(("/usr/bin/", "/usr/libexec/"))


def pip_may_install():
    marker = os.path.join(os.path.dirname(os.__file__), "EXTERNALLY-MANAGED")     # PEP 668
    is_venv = sys.prefix != sys.base_prefix
    return importlib.util.find_spec("pip") is not None and (is_venv or not os.path.exists(marker))


def file(path):
    """`MODE SHA256` of a regular file of root's, where a symbolic link points; empty for everything else."""
    try:
        facts = os.lstat(path)
        if stat.S_ISLNK(facts.st_mode):
            return os.readlink(path)
        if facts.st_uid or facts.st_gid or not stat.S_ISREG(facts.st_mode):
            return ""
        with open(path, "rb") as stream:
            return "%04o %s" % (stat.S_IMODE(facts.st_mode), hashlib.sha256(stream.read()).hexdigest())
    except OSError:
        return ""


def service(name):
    """What systemd says of it: enabled, active, and whether its file has been changed since it was read."""
    if not os.path.isdir("/run/systemd/system"):          # sd_booted(3)
        return []
    ask = ["systemctl", "show", "--property", "UnitFileState,ActiveState,NeedDaemonReload", name]
    done = subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return sorted(done.stdout.decode("utf-8", "replace").split())


def main(wish):
    sys.path.append(wish["path"])
    known = module_files("modules.dep")
    loadable = [name for name in wish["modules"] if name.replace("-", "_") in known]
    missing = [name for name, soname in LIBRARIES.items() if not loads(soname)]
    missing += ["modprobe"] if known and not command("modprobe") else []
    return {
        "missing": missing,
        "missing_commands": [name for name in wish["commands"] if not command(name)],
        "loadable": loadable,
        "unloaded": [name for name in loadable if not os.path.isdir("/sys/module/" + name.replace("-", "_"))],
        "ip_forward": read("/proc/sys/net/ipv4/ip_forward").strip(),
        "pyroute2": importlib.util.find_spec("pyroute2") is not None,
        "distribution_python": distribution_python(),
        "pip": pip_may_install(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "files": {path: file(path) for path in wish["files"]},
        "service": service(wish["service"]),
    }


json.dump(main(json.loads(sys.argv[1])), sys.stdout)

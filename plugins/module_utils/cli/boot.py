# SPDX-License-Identifier: BSD-2-Clause
"""The first code of the `cocker` command, a zip archive of this tree: it goes on from a byte-compiled copy below $COCKER_HOME/engine.

An archive holds sources, which Python would compile at each call. Imports nothing of ours before it has decided where from. Only a
host that has a store gets a copy: to look at a host changes nothing. Called by its other name, `cocker-runtime`, it is an OCI runtime,
which keeps its copy below /run where the host has no store. Not here: what the command does (main.py, oci/main.py).
"""
from __future__ import annotations

import os
import sys

DEFAULT_HOME = "/var/cocker"
RUNTIME = "cocker-runtime"
VOLATILE = "/run/cocker/engine"
# Verbs that go into a container; one that is only named like it is protected in vain.
ENTERING = {"create", "exec", "run"}
MFD_EXEC = 0x10
ENTRY = (  # a collection of garbage finds none while everything is loaded; what stays switches it on again (oci/terminal.py)
    "import gc, sys; gc.disable(); sys.path.insert(0, %r);"
    " from ansible_collections.cocker.engine.plugins.module_utils.oci import main; main.protected(sys.argv[1:])"
)
DIGEST = ""  # of the archive's content; written when it is packed


def unpacked(archive: str, engines: str) -> str:
    """Where to import from: the copy, made if need be; the archive itself where none can be kept."""
    if not DIGEST or os.geteuid() != 0 or not _is_private(engines):
        return archive
    target = os.path.join(engines, "cli-%s-%s" % (DIGEST, sys.implementation.cache_tag))
    if not os.path.isdir(target):
        _install(archive, target)
    return target


def _is_private(folder: str) -> bool:
    """What others could have written is never run."""
    try:
        facts = os.stat(folder, follow_symlinks=False)
    except OSError:
        return False
    return facts.st_uid == 0 and not facts.st_mode & 0o022


def _install(archive: str, target: str) -> None:
    """All or nothing; of several at once the first wins. What a killed one left has a dot, and goes with the next prune."""
    import py_compile  # only the first call after an upgrade pays for it
    import shutil
    import tempfile
    import zipfile

    staging = tempfile.mkdtemp(prefix=".cli-", dir=os.path.dirname(target))
    try:
        with zipfile.ZipFile(archive) as content:
            names = content.namelist()
            content.extractall(staging)
        for name in names:
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(os.path.join(staging, name), doraise=True, invalidation_mode=mode)
        os.rename(staging, target)
    except OSError:
        if not os.path.isdir(target):
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def packages() -> list[str]:
    """Where the distribution keeps pyroute2. Python was told to look at no site (-S): its .pth files are code that nobody asked for."""
    import site

    return [path for path in site.getsitepackages() if os.path.isdir(path)]


def protect() -> None:
    """Goes on as the same command from a copy of the interpreter in memory, which what enters a container cannot write through /proc.

    As kernel/fds.py does it, without its imports: they cost as much as the interpreter's start.
    """
    import fcntl

    path = os.path.realpath(sys.executable)
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        copy = os.memfd_create("python", flags | MFD_EXEC)
    except OSError:  # before Linux 6.3, which asks for it
        copy = os.memfd_create("python", flags)
    with open(path, "rb") as source:
        while os.sendfile(copy, source.fileno(), None, 1 << 30):
            pass
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    words = [path, "-I", "-S", "-X", "utf8", "-c", ENTRY % sys.path[0], *sys.argv[1:]]
    os.execve("/proc/self/fd/%d" % copy, words, os.environ)


def engines(*, volatile: bool) -> str:
    """The directory of the copies. `volatile`: where there is no store, one that goes with the next boot."""
    folder = os.path.join(os.environ.get("COCKER_HOME") or DEFAULT_HOME, "engine")
    if not volatile or os.geteuid() != 0 or _is_private(folder):
        return folder
    os.makedirs(VOLATILE, mode=0o700, exist_ok=True)
    return VOLATILE


if __name__ == "__main__":
    is_runtime = os.path.basename(sys.argv[0]) == RUNTIME
    sys.path[0] = unpacked(sys.path[0], engines(volatile=is_runtime))
    if is_runtime:
        if ENTERING.intersection(sys.argv):
            protect()
        from ansible_collections.cocker.engine.plugins.module_utils.oci.main import main
    else:
        sys.path += packages()
        from ansible_collections.cocker.engine.plugins.module_utils.cli.main import main

    code = main(sys.argv)
    sys.stdout.flush()
    os._exit(code)

# SPDX-License-Identifier: BSD-2-Clause
"""The same command once more, from a copy of the interpreter in memory, which what enters a container cannot write through /proc.

For the first verb of `cocker-runtime` after a boot that goes into a container: it mounts the interpreter for all that follow
(oci/program.py). As kernel/fds.py does it, without its imports: they cost as much as the interpreter's start.
"""
from __future__ import annotations

import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t

MFD_EXEC = 0x10
ENTRY = (
    "import gc, marshal; gc.disable(); space = {'__name__': 'cocker'}; stream = open(%r, 'rb'); exec(marshal.load(stream), space);"
    " stream.close(); space['protected'](%r)"
)
PLAIN_ENTRY = (
    "import sys; sys.path.insert(0, %r); from ansible_collections.cocker.engine.plugins.module_utils.oci import main;"
    " main.protected(sys.argv[1:])"
)


def protect(copy: str, *, first: str, programs: str) -> t.NoReturn:
    """As begin.go and its tables have them."""
    entry = ENTRY % ("%s/%s" % (copy, first), copy) if copy else PLAIN_ENTRY % sys.path[0]
    path = os.path.realpath(sys.executable)
    if path.startswith(programs + "/"):
        path = path[len(programs):]
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        memory = os.memfd_create("python", flags | MFD_EXEC)
    except OSError:  # before Linux 6.3, which asks for it
        memory = os.memfd_create("python", flags)
    with open(path, "rb") as source:
        while os.sendfile(memory, source.fileno(), None, 1 << 30):
            pass
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    os.execve("/proc/self/fd/%d" % memory, [path, "-I", "-S", "-X", "utf8", "-c", entry, *sys.argv[1:]], os.environ)

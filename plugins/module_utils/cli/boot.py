# SPDX-License-Identifier: BSD-2-Clause
"""The first code of the `cocker` command, a zip archive of this tree: it goes on from a compiled copy below $COCKER_HOME/engine.

An archive holds sources, which Python would compile at each call, and takes long to open. So a shell that is the head of the archive
starts cli/start.py, which looks for the copy; that one begins with this very file. Imports nothing of ours before it has decided where
from. Only a host that has a store gets a copy: to look at a host changes nothing. Called by its other name, `cocker-runtime`, it is an OCI
runtime, which keeps its copy below /run where the host has no store. Not here: what the command does (main.py, oci/main.py).
"""
from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:       # to import typing takes longer than all of this
    import types
    import typing as t

DEFAULT_HOME = "/var/cocker"
RUNTIME = "cocker-runtime"
VOLATILE = "/run/cocker/engine"
PROGRAMS = "/run/cocker/python"         # where oci/program.py mounts an interpreter's folder read-only
# Files of a copy: this one's code, and the code of all modules by name: those of the runtime, and the others.
FIRST, LOWER, UPPER = "first", "lower", "upper"
PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils."
UNFOLDING = "engine/unfolding.py"       # compiles them so that a start costs less
_LOWER = ("model", "kernel", "runtime", "oci")
# Verbs that go into a container; one that is only named like it is protected in vain.
ENTERING = {"create", "exec", "run"}
MFD_EXEC = 0x10
ENTRY = (
    "import gc, marshal; gc.disable(); space = {'__name__': 'cocker'}; stream = open(%r, 'rb'); exec(marshal.load(stream), space);"
    " stream.close(); space['protected'](%r)"
)
PLAIN_ENTRY = (
    "import sys; sys.path.insert(0, %r); from ansible_collections.cocker.engine.plugins.module_utils.oci import main;"
    " main.protected(sys.argv[1:])"
)
DIGEST = ""  # of the archive's content; written when it is packed


class Packed:
    """Finds and loads modules from a file: where the code of each is by its name, and then the codes, of which only those are read."""

    def __init__(self, copy: str, file: str) -> None:
        self._copy, self._file = copy, os.path.join(copy, file)
        self._index: t.Optional[t.Dict[str, t.Tuple[str, int, int]]] = None
        self._start = 0

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> t.Any:
        if not name.startswith("ansible_collections"):
            return None
        if self._index is None:
            import marshal
            with open(self._file, "rb") as stream:
                self._index = marshal.load(stream)
                self._start = stream.tell()
        if name not in self._index:
            return None
        path = os.path.join(self._copy, self._index[name][0])
        spec: t.Any = type(sys.__spec__)(name, self, origin=path)      # type: ignore[arg-type]
        if path.endswith("/__init__.py"):
            spec.submodule_search_locations = [os.path.dirname(path)]
        return spec

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        import marshal
        path, place, size = (self._index or {})[module.__name__]
        module.__file__ = os.path.join(self._copy, path)
        if not size:
            return
        fd = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)       # not kept: a container is given the caller's descriptors by number
        try:
            code = os.pread(fd, size, self._start + place)
        finally:
            os.close(fd)
        exec(marshal.loads(code), module.__dict__)


def go(copy: str) -> t.NoReturn:
    """The command of sys.argv. `copy`: a directory to import from; empty: sys.path has an archive."""
    gc.disable()        # it finds nothing while all is loaded
    is_runtime = os.path.basename(sys.argv[0]) == RUNTIME
    enters = is_runtime and not ENTERING.isdisjoint(sys.argv)
    if enters and not is_protected():
        protect(ENTRY % (os.path.join(copy, FIRST), copy) if copy else PLAIN_ENTRY % sys.path[0])
    _prepare(copy)
    if enters:
        from ansible_collections.cocker.engine.plugins.module_utils.oci.main import protected as enter
        enter(sys.argv[1:])
    if is_runtime:
        from ansible_collections.cocker.engine.plugins.module_utils.oci.main import main
    else:
        sys.path += packages()
        from ansible_collections.cocker.engine.plugins.module_utils.cli.main import main
    gc.freeze()
    gc.enable()
    code = main(sys.argv)
    sys.stdout.flush()
    os._exit(code)


def protected(copy: str) -> None:
    """The same in the protected interpreter. Only who stays has garbage to collect (oci/terminal.py)."""
    _prepare(copy)
    from ansible_collections.cocker.engine.plugins.module_utils.oci import main
    main.protected(sys.argv[1:], offer=PROGRAMS)


def _prepare(copy: str) -> None:
    if not copy:
        return
    sys.path.insert(0, copy)
    sys.meta_path[:0] = [Packed(copy, LOWER), Packed(copy, UPPER)]


def unpacked(archive: str, engines: str) -> str:
    """The copy, made if need be; empty where none can be kept."""
    if not DIGEST or os.geteuid() != 0 or not _is_private(engines):
        return ""
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
    import shutil  # only the first call after an upgrade pays for these
    import tempfile
    import zipfile

    staging = tempfile.mkdtemp(prefix=".cli-", dir=os.path.dirname(target))
    try:
        with zipfile.ZipFile(archive) as content:
            names = content.namelist()
            content.extractall(staging)
        _pack(staging, target, names)
        _sync(staging)
        os.rename(staging, target)
    except OSError:
        if not os.path.isdir(target):
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sync(folder: str) -> None:
    """The name must not survive a power cut that the files did not: the service that starts containers at boot runs from them."""
    import ctypes

    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).syncfs(fd)
    finally:
        os.close(fd)


def _pack(staging: str, target: str, names: t.Sequence[str]) -> None:
    """The compiled files of a copy that will be at `target`."""
    import marshal

    with open(os.path.join(staging, PACKAGE.replace(".", "/"), UNFOLDING), "rb") as source:
        unfolding: t.Dict[str, t.Any] = {"__name__": "unfolding"}
        exec(source.read(), unfolding)
    packs: t.Dict[str, t.Dict[str, t.Tuple[bytes, str]]] = {LOWER: {}, UPPER: {}}
    first = b""
    for name in sorted(names):
        with open(os.path.join(staging, name), "rb") as source:
            text = source.read()
        code = marshal.dumps(unfolding["compiled"](text, os.path.join(target, name))) if text else b""
        module = (name[:-len("/__init__.py")] if name.endswith("/__init__.py") else name[:-len(".py")]).replace("/", ".")
        layer = module[len(PACKAGE):].partition(".")[0]
        if name == "__main__.py":
            first = code
        else:
            packs[LOWER if layer in ("", *_LOWER) else UPPER][module] = (code, name)
    for file, content in ((FIRST, first), (LOWER, _joined(packs[LOWER])), (UPPER, _joined(packs[UPPER]))):
        with open(os.path.join(staging, file), "wb") as stream:
            stream.write(content)


def _joined(codes: t.Mapping[str, t.Tuple[bytes, str]]) -> bytes:
    import marshal

    index, place = {}, 0
    for module, (code, name) in codes.items():
        index[module] = (name, place, len(code))
        place += len(code)
    return marshal.dumps(index) + b"".join(code for code, _name in codes.values())


def packages() -> list[str]:
    """Where the distribution keeps pyroute2. Python was told to look at no site (-S): its .pth files are code that nobody asked for."""
    import site

    return [path for path in site.getsitepackages() if os.path.isdir(path)]


def is_protected() -> bool:
    """Whether this interpreter was executed from the mount of oci/program.py, and is still the host's."""
    try:
        path = os.readlink("/proc/self/exe")
        if not path.startswith(PROGRAMS + "/") or not _is_private(PROGRAMS) or not os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY:
            return False
        mine, real = os.stat("/proc/self/exe"), os.stat(path[len(PROGRAMS):])
    except OSError:
        return False
    return (mine.st_size, mine.st_mtime_ns, mine.st_ctime_ns) == (real.st_size, real.st_mtime_ns, real.st_ctime_ns)


def protect(entry: str) -> None:
    """Goes on as the same command from a copy of the interpreter in memory, which what enters a container cannot write through /proc.

    As kernel/fds.py does it, without its imports: they cost as much as the interpreter's start.
    """
    import fcntl

    path = os.path.realpath(sys.executable)
    if path.startswith(PROGRAMS + "/"):
        path = path[len(PROGRAMS):]
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        copy = os.memfd_create("python", flags | MFD_EXEC)
    except OSError:  # before Linux 6.3, which asks for it
        copy = os.memfd_create("python", flags)
    with open(path, "rb") as source:
        while os.sendfile(copy, source.fileno(), None, 1 << 30):
            pass
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    os.execve("/proc/self/fd/%d" % copy, [path, "-I", "-S", "-X", "utf8", "-c", entry, *sys.argv[1:]], os.environ)


def engines(*, volatile: bool) -> str:
    """The directory of the copies. `volatile`: where there is no store, one that goes with the next boot."""
    folder = os.path.join(os.environ.get("COCKER_HOME") or DEFAULT_HOME, "engine")
    if not volatile or os.geteuid() != 0 or _is_private(folder):
        return folder
    os.makedirs(VOLATILE, mode=0o700, exist_ok=True)
    return VOLATILE


if __name__ == "__main__":
    go(unpacked(sys.path[0], engines(volatile=os.path.basename(sys.argv[0]) == RUNTIME)))

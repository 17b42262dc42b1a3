# SPDX-License-Identifier: BSD-2-Clause
"""How a command goes on from a compiled copy of this tree (copying.py): where its modules are, and what the OCI runtime loads at once.

Run by start.py as code that belongs to no module, and so before everything else: it asks for little. Called by its other name,
`cocker-runtime`, the command is an OCI runtime, whose verbs that go into a container want an interpreter that cannot be written from there.
Not here: making the copy (copying.py), getting such an interpreter (protecting.py), what the command does (main.py, oci/main.py).
"""
from __future__ import annotations

import _imp
import gc
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:       # to import typing takes longer than all of this
    import types
    import typing as t

RUNTIME = "cocker-runtime"
PROGRAMS = "/run/cocker/python"         # where oci/program.py mounts an interpreter's folder read-only
# Files of a copy: this one's code, and the code of all modules by name: those of the runtime, and the others.
FIRST, LOWER, UPPER = "first", "lower", "upper"
# Verbs that go into a container, and the file that has what they begin with; one that is only named like it is protected in vain.
ENTERING = {"create": "begin-run", "exec": "begin-exec", "run": "begin-run"}
HEAD = 8                                # bytes at the beginning of these, as in engine/linking.py
_EXTENSIONS = ("_ctypes", "_json")      # parts of the standard library that each of these needs
_PROT_READ, _MAP_PRIVATE = 1, 2         # mmap(2)
_PAGE = 4096


class _System(type(sys)):  # type: ignore[misc]
    """The module `os` as far as it is `posix` under another name. The rest of it, half a millisecond, is run when it is asked for."""

    def __getattr__(self, name: str) -> t.Any:
        if name == "environ":
            self.environ = {self.fsdecode(key): self.fsdecode(value) for key, value in posix.environ.items()}
        elif name.startswith("__") or self.__class__ is not _System:
            raise AttributeError(name)
        else:
            self.__class__ = type(sys)  # type: ignore[assignment]
            exec(_imp.get_frozen_object("os"), self.__dict__)
        return getattr(self, name)

    @staticmethod
    def fsdecode(name: t.Any) -> t.Any:
        name = posix.fspath(name)
        return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")

    @staticmethod
    def fsencode(name: t.Any) -> t.Any:
        name = posix.fspath(name)
        return name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name


class Packed:
    """Finds and loads modules from a file: where the code of each is by its name, and then the codes, of which only those are read."""

    def __init__(self, copy: str, file: str) -> None:
        self._copy, self._file = copy, "%s/%s" % (copy, file)
        self._index: t.Optional[t.Dict[str, t.Tuple[str, int, int]]] = None
        self._start = 0

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> t.Any:
        if not name.startswith("ansible_collections"):
            return None
        if self._index is None:
            import marshal
            try:
                with open(_made(self._file), "rb") as stream:
                    self._index = marshal.load(stream)
                    self._start = stream.tell()
            except FileNotFoundError:       # it cannot be kept: the sources are found
                self._index = {}
        if name not in self._index:
            return None
        path = "%s/%s" % (self._copy, self._index[name][0])
        spec: t.Any = type(sys.__spec__)(name, self, origin=path)      # type: ignore[arg-type]
        if path.endswith("/__init__.py"):
            spec.submodule_search_locations = [path[:-len("/__init__.py")]]
        return spec

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        import marshal
        path, place, size = (self._index or {})[module.__name__]
        module.__file__ = "%s/%s" % (self._copy, path)
        if not size:
            return
        # Not kept: a container is given the caller's descriptors by number.
        fd = posix.open(self._file, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            code = posix.pread(fd, size, self._start + place)
        finally:
            posix.close(fd)
        exec(marshal.loads(code), module.__dict__)


def go(copy: str) -> t.NoReturn:
    """The command of sys.argv. `copy`: a directory to import from; empty: sys.path has an archive."""
    gc.disable()        # it finds nothing while all is loaded
    is_runtime = sys.argv[0].rpartition("/")[2] == RUNTIME
    verb = _entering() if is_runtime else ""
    if verb and is_protected():
        _enter(copy, verb)
    _find_in(copy)
    if verb:
        from ansible_collections.cocker.engine.plugins.module_utils.cli import protecting
        protecting.protect(copy, first=FIRST, programs=PROGRAMS)
    if is_runtime:
        from ansible_collections.cocker.engine.plugins.module_utils.oci.main import main
    else:
        from ansible_collections.cocker.engine.plugins.module_utils.cli.main import main, packages
        sys.path += packages()
    gc.freeze()
    gc.enable()
    code = main(sys.argv)
    sys.stdout.flush()
    posix._exit(code)


def protected(copy: str) -> None:
    """The same in the interpreter that protecting.py has made. Only who stays has garbage to collect (oci/terminal.py)."""
    _enter(copy, _entering(), offer=PROGRAMS)


def _entering() -> str:
    return next((word for word in sys.argv if word in ENTERING), "")


def is_protected() -> bool:
    """Whether this interpreter was executed from the mount of oci/program.py, and is still the host's."""
    try:
        path = posix.readlink("/proc/self/exe")
        if not path.startswith(PROGRAMS + "/") or not is_private(PROGRAMS):
            return False
        if not posix.statvfs("/proc/self/exe").f_flag & posix.ST_RDONLY:
            return False
        mine, real = posix.stat("/proc/self/exe"), posix.stat(path[len(PROGRAMS):])
    except OSError:
        return False
    return (mine.st_size, mine.st_mtime_ns, mine.st_ctime_ns) == (real.st_size, real.st_mtime_ns, real.st_ctime_ns)


def is_private(folder: str) -> bool:
    """What others could have written is never run."""
    try:
        facts = posix.lstat(folder)
    except OSError:
        return False
    return facts.st_uid == 0 and not facts.st_mode & 0o022


def _find_in(copy: str) -> None:
    if copy:
        sys.path.insert(0, copy)
        sys.meta_path[:0] = [Packed(copy, LOWER), Packed(copy, UPPER)]


def _enter(copy: str, verb: str, *, offer: str = "") -> None:
    _borrow_system()
    _find_in(copy)
    if copy:
        _load(_made(copy + "/" + ENTERING[verb]))
    from ansible_collections.cocker.engine.plugins.module_utils.oci import main
    main.protected(sys.argv[1:], offer=offer)


def _borrow_system() -> None:
    """For interpreters that have the code of `os` in them (3.11), where names of files are UTF-8: what enters is started with -X utf8."""
    if "os" in sys.modules or not hasattr(_imp, "get_frozen_object") or not _imp.is_frozen("os") or not sys.flags.utf8_mode:
        return
    system: t.Any = _System("os")
    system.__dict__.update((name, value) for name, value in posix.__dict__.items() if not name.startswith("__") and name != "environ")
    system.SEEK_SET, system.SEEK_CUR, system.SEEK_END = 0, 1, 2
    sys.modules["os"] = system
    import posixpath
    system.path = sys.modules["os.path"] = posixpath


def _made(file: str) -> str:
    """The file of a copy; one that nobody has asked for before is made, by a process that leaves this one as it is."""
    if posix.access(file, posix.R_OK):
        return file
    copy, _slash, name = file.rpartition("/")
    pid = posix.fork()
    if pid == 0:
        try:
            sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Packed)]
            sys.dont_write_bytecode = True
            from ansible_collections.cocker.engine.plugins.module_utils.cli import copying
            copying.complete(copy, name)
        finally:
            posix._exit(0)
    posix.waitpid(pid, 0)
    return file


def _load(file: str) -> None:
    """The modules that engine/linking.py put into the file. What they import besides is found as ever."""
    import marshal
    for name in _EXTENSIONS:
        _load_extension(name)
    try:
        part = _mapped(file)
    except FileNotFoundError:       # it cannot be kept: all is imported as ever
        return
    size = int.from_bytes(bytes(part(0, HEAD)), "little")
    awake: t.Dict[int, t.Any] = {}

    def wake(body: t.Any, space: t.Dict[str, t.Any], given: t.Any, named: t.Any) -> t.Any:
        """Calls a function that has been left in the file."""
        found: t.Any = awake.get(id(body))
        if found is None:
            start, length, defaults, named_defaults = body
            found = awake[id(body)] = function(marshal.loads(part(HEAD + size + start, length)), space, None, defaults)
            found.__kwdefaults__ = named_defaults
        return found(*given, **named)

    function: t.Any = type(go)
    modules: t.Dict[str, t.Any] = sys.modules
    new: t.Any = type(sys)
    for name, parent, last, folder, code in marshal.loads(part(HEAD, size))[-1]:
        modules[name] = module = new(name)
        space = module.__dict__
        space["__package__"], space["_unfolded_wake"], space["_unfolded_modules"] = parent, wake, modules
        if folder:
            space["__package__"], space["__path__"] = name, [folder]
        else:
            space["__file__"] = code.co_filename
            exec(code, space)
        if parent:
            modules[parent].__dict__[last] = module


def _load_extension(name: str) -> None:
    """From where it is, usually; else it is left to an import, which reads three directories first."""
    if name in sys.builtin_module_names or name in sys.modules:
        return
    path = "%s/%s%s" % (sys.path[-1], name, _imp.extension_suffixes()[0])
    spec: t.Any = type(sys.__spec__)(name, None, origin=path)
    try:
        module = _imp.create_dynamic(spec)
    except ImportError:
        return
    module.__spec__, module.__file__ = spec, path
    sys.modules[name] = module
    _imp.exec_dynamic(module)


def _mapped(path: str) -> t.Callable[[int, int], t.Any]:
    """What gives a part of a file, by its place and size, as long as this process and its copies live: they may lose sight of the file."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        size = posix.fstat(fd).st_size
        try:
            return _map(fd, size)
        except (ImportError, AttributeError):
            content = memoryview(posix.pread(fd, size, 0))
            return lambda start, length: content[start:start + length]
    finally:
        posix.close(fd)


def _map(fd: int, size: int) -> t.Callable[[int, int], t.Any]:
    """By mmap(2), which copies nothing; the module of that name would be one more to load."""
    import _ctypes

    class Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "c"

    class Size(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "L"

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL
        _restype_ = Size

    call: t.Any = Function
    place = call(_ctypes.dlsym(_ctypes.dlopen(None, 0), "mmap"))(None, Size(size), _PROT_READ, _MAP_PRIVATE, fd, Size(0))  # type: ignore[arg-type]
    if place % _PAGE:       # MAP_FAILED
        raise AttributeError("mmap")
    return lambda start, length: (Byte * length).from_address(place + start)

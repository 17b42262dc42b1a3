# SPDX-License-Identifier: BSD-2-Clause
"""What a host keeps of a module, all of its payload compiled in one file, so that the next task sends parameters only.

The stub that looks for it is plugins/plugin_utils/stub/cocker_stub.py. Not here: single files of a payload that is there (compiled.py).
"""
from __future__ import annotations

import json
import marshal
import os
import sys
import typing as t

from ansible.module_utils import basic

from ansible_collections.cocker.engine.plugins.module_utils.edge import compiled

KEY, MODULE = "_cocker_key", "_cocker_module"
FOLDER = "tasks"
_KEPT = 3           # versions of a module: controllers that differ
_LOOKED_AT = 4      # files of other modules, the newest: they are made of the same files, mostly
_Code = t.Tuple[bool, bytes, int, int]          # whether it is a package, and its code; of its source the CRC and the size
_Codes = t.Dict[str, _Code]                     # name of a module -> what is kept of it
_NOTHING = marshal.dumps(("", b"", {}, b""))

# Runs in the next task, before anything else is there. It makes the payload importable and the module the main program.
_BOOT = '''
import json, marshal, os, sys
Spec = type(__import__("json").__spec__)
class Finder:
    def __init__(self, key, codes, sources):
        self.key, self.codes, self.packed = key, codes, sources
    def find_spec(self, name, path=None, target=None):
        if name not in self.codes:
            return None
        package = self.codes[name][0]
        spec = Spec(name, self, origin="/cocker/" + name.replace(".", "/") + ("/__init__.py" if package else ".py"), is_package=package)
        spec.has_location = True
        return spec
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(marshal.loads(self.codes[module.__name__][1]), module.__dict__)
    def get_source(self, name):
        return None
    def sources(self):
        import zlib
        return marshal.loads(zlib.decompress(self.packed))
def run(module, parameters, key, codes, sources):
    parameters["_ansible_module_name"] = module
    sys.meta_path.insert(0, Finder(key, codes, sources))
    from ansible.module_utils import basic
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": parameters}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    folder, _dot, name = module.rpartition(".")
    main = sys.modules["__main__"]
    main.__dict__.update(__file__="/cocker/%s.py" % name, __name__="__main__")
    exec(marshal.loads(codes["ansible_collections.%s.plugins.modules.%s" % (folder, name)][1]), main.__dict__)
'''


class Wish(t.NamedTuple):
    """Said by the action plugin: what this payload is to be kept as."""

    key: str
    module: str


def wish() -> t.Optional[Wish]:
    """Taken out of the parameters, before they are looked at as options."""
    try:
        given = json.loads(basic._ANSIBLE_ARGS)
        parameters = given["ANSIBLE_MODULE_ARGS"]
        found = Wish(parameters.pop(KEY), parameters.pop(MODULE))
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    basic._ANSIBLE_ARGS = json.dumps(given).encode()
    return found


def keep(wanted: t.Optional[Wish], home: str) -> None:
    """Idempotent, and only where the store is there and ours alone. What fails here makes the next task slower, no more."""
    archive = compiled.archive_of_payload()
    engine = os.path.join(home, "engine")
    if wanted is None or archive is None or not (compiled.is_private(home) and compiled.is_private(engine)):
        return
    folder = os.path.join(engine, FOLDER)
    name = "%s-%s-%s" % (wanted.module, wanted.key, sys.implementation.cache_tag)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if compiled.is_private(folder) and not os.path.exists(os.path.join(folder, name)):
            compiled.write(os.path.join(folder, name), content(archive, _found(folder)))
            _drop_old(folder, wanted.module)
    except (OSError, SyntaxError, ValueError):
        return


def _found(folder: str) -> _Codes:
    """What was compiled for other modules, and for other versions of this one."""
    mine = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(str(sys.implementation.cache_tag))]
    found: _Codes = {}
    for path in sorted(mine, key=os.path.getmtime)[-_LOOKED_AT:]:
        version, _boot, codes, _sources = marshal.loads(compiled.read(path) or _NOTHING)
        if version == sys.version:
            found.update(codes)
    return found


def content(archive: str, known: _Codes) -> bytes:
    """The sources come along for whoever installs the engine from them (engine/bundle.py)."""
    import zipfile  # only the first task after an upgrade pays for it
    import zlib

    found: _Codes = {}
    sources: t.Dict[str, bytes] = {}
    with zipfile.ZipFile(archive) as payload:
        for info in payload.infolist():
            path = info.filename
            if path.endswith(".py") and path.startswith("ansible"):
                package, source = path.endswith("/__init__.py"), payload.read(path)
                name = (path[:-len("/__init__.py")] if package else path[:-3]).replace("/", ".")
                found[name] = known[name] if known.get(name, ())[2:] == (info.CRC, info.file_size) else (
                    package, marshal.dumps(compile(source, "/cocker/" + path, "exec", dont_inherit=True)), info.CRC, info.file_size)
                if name.startswith(compiled.PACKAGE):
                    sources[path] = source
    boot = marshal.dumps(compile(_BOOT, "cocker-boot", "exec"))
    return marshal.dumps((sys.version, boot, found, zlib.compress(marshal.dumps(sources))))


def _drop_old(folder: str, module: str) -> None:
    mine = [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(module + "-")]
    for path in sorted(mine, key=os.path.getmtime)[:-_KEPT]:
        os.unlink(path)

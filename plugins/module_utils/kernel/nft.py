# SPDX-License-Identifier: BSD-2-Clause
"""nftables through libnftables and its JSON: one call, one transaction, no process. See libnftables(3), libnftables-json(5).

Not here: which rules there are (network/ruleset.py).
"""
from __future__ import annotations

import ctypes
import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported, tolerate

Command = t.Dict[str, t.Any]

LIBRARY = "libnftables.so.1"

_DEFAULT = 0                # NFT_CTX_DEFAULT
_JSON = 1 << 4              # NFT_CTX_OUTPUT_JSON: for input, too
_TERSE = 1 << 11            # NFT_CTX_OUTPUT_TERSE: sets without their elements; nftables 0.9.5, unknown before and then ignored
_MISSING = "No such file or directory"

_PROTOTYPES: t.Dict[str, t.Tuple[t.Any, t.Tuple[t.Any, ...]]] = {
    "nft_ctx_new": (ctypes.c_void_p, (ctypes.c_uint32,)),
    "nft_ctx_output_set_flags": (None, (ctypes.c_void_p, ctypes.c_uint)),
    "nft_ctx_buffer_output": (ctypes.c_int, (ctypes.c_void_p,)),
    "nft_ctx_buffer_error": (ctypes.c_int, (ctypes.c_void_p,)),
    "nft_ctx_get_output_buffer": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "nft_ctx_get_error_buffer": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "nft_run_cmd_from_buffer": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p)),
}
_NAMESPACE = "/proc/thread-self/ns/net"
_loaded: t.List[ctypes.CDLL] = []
_contexts: t.Dict[t.Tuple[int, int, int], int] = {}


def load() -> ctypes.CDLL:
    """The library with its prototypes, loaded once. Raises Unsupported."""
    if not _loaded:
        try:
            library = ctypes.CDLL(LIBRARY, use_errno=True)
        except OSError as error:
            raise Unsupported("load", LIBRARY, str(error), hint="the role cocker.engine.host installs it") from error
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        _loaded.append(library)
    return _loaded[0]


def run(commands: t.Sequence[Command], *, terse: bool = False) -> t.List[Command]:
    """All commands or none of them; what they list, without the leading metainfo. Raises CockerError with nft's own words."""
    library, context = load(), _context()
    library.nft_ctx_output_set_flags(context, _JSON | (_TERSE if terse else 0))
    text = json.dumps({"nftables": list(commands)}, separators=(",", ":"))
    failed = library.nft_run_cmd_from_buffer(context, text.encode("utf-8"))
    output, error = library.nft_ctx_get_output_buffer(context), library.nft_ctx_get_error_buffer(context)   # reading rewinds them
    if failed:
        raise CockerError("change nftables", _subject(commands), _reason(error))
    return _listed(output)


def _context() -> int:
    """Kept until the process ends: closing its socket waits for the kernel to free what was deleted (8 to 16 ms of 0.2 measured).

    It belongs to a process and to the network namespace that it was made in; in another one there is another.
    """
    namespace = os.stat(_NAMESPACE)
    key = (os.getpid(), namespace.st_dev, namespace.st_ino)
    if key not in _contexts:
        library = load()
        before = _descriptors()
        context = library.nft_ctx_new(_DEFAULT)
        if not context:
            raise CockerError("change nftables", "", "libnftables gives no context")
        for fd in _descriptors() - before:
            os.set_inheritable(fd, False)       # libmnl opens its socket without SOCK_CLOEXEC
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        _contexts[key] = context
    return _contexts[key]


def _descriptors() -> t.Set[int]:
    """The sockets among the open files."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with tolerate(errno.ENOENT):            # the one that lists
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                found.add(int(name))
    return found


def list_table(family: str, name: str, *, terse: bool = False) -> t.List[Command]:
    """The objects of a table as nft prints them; empty if there is no such table."""
    return _list({"table": {"family": family, "name": name}}, terse=terse)


def list_ruleset() -> t.List[Command]:
    return run([{"list": {"ruleset": None}}])


def _list(what: Command, *, terse: bool) -> t.List[Command]:
    try:
        return run([{"list": what}], terse=terse)
    except CockerError as error:
        if _MISSING not in error.reason:
            raise
        return []


def _listed(output: t.Optional[bytes]) -> t.List[Command]:
    if not output:
        return []
    objects: t.List[Command] = json.loads(output.decode("utf-8", "surrogateescape"))["nftables"]
    return [each for each in objects if "metainfo" not in each]


def _subject(commands: t.Sequence[Command]) -> str:
    for command in commands:
        for action in command.values():
            table = action.get("table") if isinstance(action, dict) else None
            return "table %s" % table.get("name", "") if isinstance(table, dict) else ""
    return ""


def _reason(output: t.Optional[bytes]) -> str:
    """The lines that say what is wrong: `internal:0:0-0: Error: Could not process rule: File exists`."""
    lines = (output or b"").decode("utf-8", "replace").splitlines()
    errors = [line.partition("Error: ")[2] for line in lines if "Error: " in line]
    return "; ".join(dict.fromkeys(errors)) or "no reason given"

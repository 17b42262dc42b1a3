# SPDX-License-Identifier: BSD-2-Clause
"""Seccomp filters: an OCI `linux.seccomp` mapping -> BPF through libseccomp (cached on disk) -> loaded into this process.

Not here: which system calls a container may use (runtime/seccomp_profile.py).
"""
from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported

Profile = t.Mapping[str, t.Any]

SONAME = "libseccomp.so.2"
UNKNOWN = -1  # __NR_SCMP_ERROR
ATTRIBUTE_OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE, libseccomp 2.5: 2 is a binary tree
PR_SET_SECCOMP, MODE_FILTER, SET_MODE_FILTER = 22, 2, 1
ALLOW, NOTIFY = 0x7FFF0000, "SCMP_ACT_NOTIFY"
NEW_LISTENER = 8  # SECCOMP_FILTER_FLAG_NEW_LISTENER, Linux 5.0
# seccomp.h and seccomp(2); those that carry a number have it in the low 16 bits.
ACTIONS = {
    "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x80000000, "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000, "SCMP_ACT_TRACE": 0x7FF00000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ALLOW": ALLOW,
    NOTIFY: 0x7FC00000,
}
WITH_NUMBER = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
COMPARISONS = {
    "SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
# Those whose numbers are one dense run from 0, for `_newer_calls`.
DENSE = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390X")
ARCHITECTURES = tuple("SCMP_ARCH_" + name for name in (
    "AARCH64", "ARM", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PARISC", "PARISC64", "PPC", "PPC64", "PPC64LE",
    "RISCV64", "S390", "S390X", "X32", "X86", "X86_64",
))
NUMBERS = 1024  # beyond every call of today's kernels, far below x32's bit


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class FilterProgram(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Version(ctypes.Structure):
    """struct scmp_version."""

    _fields_ = [("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint)]


class Prepared(t.NamedTuple):
    """All that `load` needs, built beforehand; `keep` holds the memory behind `address`."""

    address: int
    keep: t.Tuple[t.Any, ...]
    flags: int
    number: int


_library: t.List[ctypes.CDLL] = []
_known_version: t.List[str] = []
_known_hash: t.List[t.Callable[[bytes], t.Any]] = []
_free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(("free", libc.libc))


def library() -> ctypes.CDLL:
    """libseccomp, opened by its soname at the first use. Raises Unsupported without it."""
    if not _library:
        try:
            # ctypes.util.find_library would run ldconfig and gcc.
            found = ctypes.CDLL(SONAME, use_errno=True)
        except OSError as error:
            raise Unsupported("seccomp", SONAME, "not installed", hint="the host role installs libseccomp") from error
        _library.append(_prototypes(found))
    return _library[0]


def _prototypes(found: ctypes.CDLL) -> ctypes.CDLL:
    context, unsigned, text = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p
    table: t.Dict[str, t.Tuple[t.Any, t.List[t.Any]]] = {
        "seccomp_init": (context, [unsigned]),
        "seccomp_release": (None, [context]),
        "seccomp_attr_set": (ctypes.c_int, [context, ctypes.c_int, unsigned]),
        "seccomp_arch_add": (ctypes.c_int, [context, unsigned]),
        "seccomp_arch_resolve_name": (unsigned, [text]),
        "seccomp_syscall_resolve_name": (ctypes.c_int, [text]),
        "seccomp_syscall_resolve_num_arch": (ctypes.c_void_p, [unsigned, ctypes.c_int]),
        "seccomp_rule_add_array": (ctypes.c_int, [context, unsigned, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]),
        "seccomp_export_bpf": (ctypes.c_int, [context, ctypes.c_int]),
        "seccomp_version": (ctypes.POINTER(Version), []),
    }
    for name, (result, arguments) in table.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def version() -> str:
    if not _known_version:
        found = library().seccomp_version().contents
        _known_version.append("%d.%d.%d" % (found.major, found.minor, found.micro))
    return _known_version[0]


def architectures() -> t.List[str]:
    """Those that this libseccomp knows, as OCI names them."""
    return sorted(name for name in ARCHITECTURES if library().seccomp_arch_resolve_name(_plain(name)))


def flags(profile: Profile) -> int:
    """The OCI `flags` list as seccomp(2) takes it."""
    names = profile.get("flags") or []
    unknown = sorted(set(names) - set(FLAGS))
    if unknown:
        raise Invalid("seccomp.flags", "%s is not one of %s" % (unknown[0], ", ".join(sorted(FLAGS))))
    return sum(FLAGS[name] for name in set(names))


def compile(profile: Profile, *, agent: bool = False) -> bytes:
    """The filter as struct sock_filter[]. Raises Invalid for a bad profile, Unsupported for what cannot be enforced here.

    `agent`: somebody will be there to decide about calls with SCMP_ACT_NOTIFY.
    """
    if not agent and _notifies(profile):
        raise Unsupported("seccomp", NOTIFY, "there is no agent to notify")
    lib = library()
    default = _action(profile.get("defaultAction"), profile.get("defaultErrnoRet"), option="seccomp.defaultAction")
    context = lib.seccomp_init(default)
    if not context:
        raise Invalid("seccomp.defaultAction", "libseccomp refuses it")
    try:
        lib.seccomp_attr_set(context, ATTRIBUTE_OPTIMIZE, 2)  # a missing attribute costs speed only
        for name in profile.get("architectures") or []:
            _add_architecture(context, name)
        for place, rule in enumerate(profile.get("syscalls") or []):
            _add_rule(context, rule, default=default, option="seccomp.syscalls[%d]" % place)
        code = _export(context)
    finally:
        lib.seccomp_release(context)
    return code if profile["defaultAction"] in PERMISSIVE else _newer_calls(profile.get("architectures") or []) + code


def _notifies(profile: Profile) -> bool:
    return any(rule.get("action") == NOTIFY for rule in [{"action": profile.get("defaultAction")}, *(profile.get("syscalls") or [])])


def _action(name: t.Any, number: t.Any, *, option: str) -> int:
    if name not in ACTIONS:
        raise Invalid(option, "%r is not one of %s" % (name, ", ".join(sorted(ACTIONS))))
    if name not in WITH_NUMBER:
        return ACTIONS[name]
    return ACTIONS[name] | ((errno.EPERM if number is None else int(number)) & 0xFFFF)


def _add_architecture(context: int, name: str) -> None:
    token = library().seccomp_arch_resolve_name(_plain(name))
    if not token:
        raise Unsupported("seccomp", name, "libseccomp %s does not know this architecture" % version())
    _check(library().seccomp_arch_add(context, token), (0, -errno.EEXIST), subject=name)


def _add_rule(context: int, rule: t.Mapping[str, t.Any], *, default: int, option: str) -> None:
    action = _action(rule.get("action"), rule.get("errnoRet"), option=option + ".action")
    if action == default:  # says nothing, and libseccomp refuses it
        return
    for name in rule["names"]:
        number = library().seccomp_syscall_resolve_name(name.encode())
        if number == UNKNOWN:
            # Not allowed is what it is anyway; but a call that was to be forbidden would pass.
            if default == ALLOW:
                raise Unsupported("seccomp", name, "libseccomp %s cannot forbid a call it does not know" % version())
            continue
        for comparisons in _alternatives(rule.get("args") or [], option=option + ".args"):
            array = (Comparison * len(comparisons))(*comparisons)
            result = library().seccomp_rule_add_array(context, action, number, len(comparisons), array)
            _check(result, (0, -errno.EEXIST), subject=name)


def _alternatives(arguments: t.Sequence[t.Mapping[str, t.Any]], *, option: str) -> t.List[t.List[Comparison]]:
    """Comparisons of one rule are all to hold; several of the same argument are alternatives, as runc reads them."""
    comparisons = [_comparison(argument, option=option) for argument in arguments]
    indexes = [comparison.arg for comparison in comparisons]
    if len(set(indexes)) == len(indexes):
        return [comparisons]
    return [[comparison] for comparison in comparisons]


def _comparison(argument: t.Mapping[str, t.Any], *, option: str) -> Comparison:
    name = argument.get("op")
    if name not in COMPARISONS:
        raise Invalid(option, "%r is not one of %s" % (name, ", ".join(sorted(COMPARISONS))))
    if not 0 <= int(argument["index"]) <= 5:
        raise Invalid(option, "index %s is not in 0 to 5" % argument["index"])
    return Comparison(int(argument["index"]), COMPARISONS[name], int(argument["value"]), int(argument.get("valueTwo") or 0))


def _export(context: int) -> bytes:
    descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        _check(library().seccomp_export_bpf(context, descriptor), (0,), subject="export")
        os.lseek(descriptor, 0, os.SEEK_SET)
        parts: t.List[bytes] = []
        while not parts or parts[-1]:
            parts.append(os.read(descriptor, 1 << 20))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _check(result: int, good: t.Tuple[int, ...], *, subject: str) -> None:
    if result not in good:
        raise Unsupported("seccomp", subject, "libseccomp %s: %s" % (version(), os.strerror(-result)))


def _newer_calls(architectures: t.Sequence[str]) -> bytes:
    """Calls newer than this libseccomp answer ENOSYS, so that programs fall back; EPERM would break them (as runc does).

    load arch; per architecture: if it is not this one, skip; load nr; if highest < nr < NUMBERS, return ENOSYS.
    """
    code = b""
    for name in architectures:
        if name in DENSE:
            token = library().seccomp_arch_resolve_name(_plain(name))
            block = [
                (0x20, 0, 0, 4), (0x15, 0, 4, token), (0x20, 0, 0, 0), (0x25, 0, 2, _highest_known(token)),
                (0x35, 1, 0, NUMBERS), (0x06, 0, 0, ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS),
            ]
            code += b"".join(struct.pack("=HBBI", *instruction) for instruction in block)
    return code


def _plain(architecture: str) -> bytes:
    return architecture.replace("SCMP_ARCH_", "").lower().encode()


def _highest_known(token: int) -> int:
    for number in range(NUMBERS - 1, 0, -1):
        name = library().seccomp_syscall_resolve_num_arch(token, number)
        if name:
            _free(name)
            return number
    return NUMBERS


def _sha256(data: bytes) -> t.Any:
    return _hash()(data)


def _hash() -> t.Callable[[bytes], t.Any]:
    """hashlib brings OpenSSL with it, 2 ms to load: the interpreter's own is asked first (its module's name changed in 3.12)."""
    if _known_hash:
        return _known_hash[0]
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found]
        except ImportError:
            from hashlib import sha256
    _known_hash.append(sha256)
    return _known_hash[0]


def preload() -> None:
    """What is imported for filters, for a process that soon cannot import any more, and what would be asked in each of its forks."""
    _hash()
    with contextlib.suppress(Unsupported):
        version()


def cached(profile: Profile, directory: str, *, agent: bool = False) -> bytes:
    """As `compile`, kept in `directory` (ours alone, 0700) by digest; a damaged entry is made again."""
    text = json.dumps(profile, sort_keys=True, separators=(",", ":"))
    key = _sha256("\0".join((text, os.uname().machine, version())).encode()).hexdigest()
    path = "%s/%s.bpf" % (directory, key)
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        content = file.read()
        if len(content) > 32 and _sha256(content[32:]).digest() == content[:32]:
            return content[32:]
    code = compile(profile, agent=agent)
    temporary = "%s.%d" % (path, os.getpid())
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_sha256(code).digest() + code)
    os.rename(temporary, path)  # not synced: the digest tells a torn file
    return code


def prepare(code: bytes, *, flags: int = 0) -> Prepared:
    """Builds what `load` hands to the kernel; done before fork, so that nothing is allocated or imported after it."""
    if not code or len(code) % 8 or len(code) // 8 > 0xFFFF:
        raise Invalid("seccomp", "%d bytes are not a filter" % len(code))
    program = FilterProgram(len(code) // 8, ctypes.cast(ctypes.c_char_p(code), ctypes.c_void_p).value)
    return Prepared(address=ctypes.addressof(program), keep=(program, code), flags=flags, number=libc.NR.get("seccomp", -1))


def code(prepared: Prepared) -> bytes:
    """From what it was built."""
    return bytes(prepared.keep[1])


def load(prepared: Prepared) -> int:
    """Filters this thread from now on. Needs no_new_privs or CAP_SYS_ADMIN; allowed between fork and exec.

    With NEW_LISTENER among the flags the descriptor on which an agent hears of calls, else -1.
    """
    if not prepared.flags:
        libc.prctl(PR_SET_SECCOMP, MODE_FILTER, prepared.address, op="seccomp")
        return -1
    found = libc.syscall(prepared.number, SET_MODE_FILTER, prepared.flags, prepared.address, op="seccomp")
    return found if prepared.flags & NEW_LISTENER else -1

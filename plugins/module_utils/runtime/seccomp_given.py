# SPDX-License-Identifier: BSD-2-Clause
"""Pure: a seccomp profile that somebody wrote, in OCI's form or in the one of Docker and Podman, as OCI's `linux.seccomp`.

The latter says under which conditions a rule is in force (capabilities, architecture, kernel) and how architectures belong together.
Not here: the profile where none is given (seccomp_profile.py), compiling it (kernel/seccomp.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.seccomp_profile import MACHINES

Json = t.Dict[str, t.Any]

OPTION = "security_opts"
_KEPT = ("defaultAction", "defaultErrnoRet", "architectures", "flags")
_KNOWN = frozenset((*_KEPT, "syscalls", "archMap", "comment", "listenerPath", "listenerMetadata"))
_RULE = frozenset(("names", "name", "action", "errnoRet", "args", "includes", "excludes", "comment"))
_CONDITIONS = frozenset(("caps", "arches", "minKernel"))
# Go's words for machines, as conditions have them.
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def profile(given: t.Mapping[str, t.Any], *, capabilities: t.Iterable[str], machine: str, kernel: t.Tuple[int, int]) -> Json:
    """For a container with these capabilities (CAP_* names) on this host. Raises Invalid, Unsupported."""
    _refuse_unknown(given, _KNOWN, "the profile")
    found = {key: given[key] for key in _KEPT if given.get(key)}
    if not isinstance(found.get("defaultAction"), str):
        raise Invalid(OPTION, "the seccomp profile names no defaultAction")
    main = (MACHINES.get(machine) or ((), ""))[0]
    for entry in given.get("archMap") or ():
        if entry.get("architecture") in main[:1]:
            found["architectures"] = [entry["architecture"], *(entry.get("subArchitectures") or ())]
    held = set(capabilities)
    rules = [rule for rule in given.get("syscalls") or () if _holds(rule, held, _ARCHES.get(machine, machine), kernel)]
    return dict(found, syscalls=[_plain(rule) for rule in rules])


def _plain(rule: t.Mapping[str, t.Any]) -> Json:
    names = [*(rule.get("names") or ()), *([rule["name"]] if rule.get("name") else [])]
    if not names or not all(isinstance(name, str) for name in names):
        raise Invalid(OPTION, "a rule of the seccomp profile has no names")
    kept = {key: rule[key] for key in ("action", "errnoRet", "args") if rule.get(key) is not None}
    return dict(kept, names=names)


def _holds(rule: t.Mapping[str, t.Any], held: t.Set[str], arch: str, kernel: t.Tuple[int, int]) -> bool:
    _refuse_unknown(rule, _RULE, "a rule")
    needed, forbidden = rule.get("includes") or {}, rule.get("excludes") or {}
    for condition in (needed, forbidden):
        _refuse_unknown(condition, _CONDITIONS, "a condition")
    if not held.issuperset(needed.get("caps") or ()) or not held.isdisjoint(forbidden.get("caps") or ()):
        return False
    if needed.get("arches") and arch not in needed["arches"] or arch in (forbidden.get("arches") or ()):
        return False
    if needed.get("minKernel") and kernel < _version(needed["minKernel"]):
        return False
    return not (forbidden.get("minKernel") and kernel >= _version(forbidden["minKernel"]))


def _version(text: str) -> t.Tuple[int, int]:
    major, dot, minor = str(text).partition(".")
    if not dot or not (major + minor).isdigit():
        raise Invalid(OPTION, "minKernel %r of the seccomp profile is not a version such as 4.8" % text)
    return int(major), int(minor)


def _refuse_unknown(value: t.Any, known: t.Container[str], where: str) -> None:
    if not isinstance(value, t.Mapping):
        raise Invalid(OPTION, "%s of seccomp is %r, not an object" % (where, value))
    for key in sorted(value):
        if key not in known and value[key]:
            raise Unsupported("seccomp", str(key), "%s has it, and this engine does not know it" % where)

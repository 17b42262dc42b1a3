# SPDX-License-Identifier: BSD-2-Clause
"""What this kernel would refuse at the start: kernel parameters that it does not have, words that are too long for a program.

Nothing is changed; where there are kernel parameters, they are looked for in namespaces that go at once. Not here: all else (checks.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import resource
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import sysctls

# execve(2): of one word with its final null byte; of all words with their pointers.
_PAGE = os.sysconf("SC_PAGE_SIZE")
LONGEST_WORD = 32 * _PAGE
_LEAST, _MOST, _POINTER = 32 * _PAGE, 6 << 20, 8
_REASONS = {
    errno.ENOENT: "%s is no parameter that this kernel has for a container", errno.EACCES: "%s can be read only in a container",
}
_EVERYWHERE = ("all", "default", "lo")


def check(spec: ContainerSpec, config: t.Mapping[str, t.Any]) -> None:
    """`config` is the config.json. Raises Invalid that names the option."""
    _words(spec, config["process"])
    if spec.sysctls:
        with tolerate(errno.EPERM):     # who may make no namespace finds it out at the start
            _sysctls(spec, spec.sysctls)


def _words(spec: ContainerSpec, process: t.Mapping[str, t.Any]) -> None:
    args, env = ([os.fsencode(word) for word in process.get(key) or ()] for key in ("args", "env"))
    if not args:
        return
    for words, option in ((args, "command"), (env, "env")):
        for word in words:
            if len(word) >= LONGEST_WORD:
                what = os.fsdecode(word.partition(b"=")[0]) if option == "env" else "a word"
                raise Invalid(option, "%s is %d bytes long; the kernel accepts up to %d" % (what, len(word), LONGEST_WORD - 1))
    total, most = sum(len(word) + 1 + _POINTER for word in (*args, *env)), _room(spec)
    if total > most:
        raise Invalid("env" if len(b"".join(env)) > len(b"".join(args)) else "command",
                      "the command and its environment take %d bytes; the kernel accepts up to %d, a quarter of the stack" % (total, most))


def _room(spec: ContainerSpec) -> int:
    stack = next((limit.soft for limit in spec.ulimits or () if limit.name == "stack"), resource.getrlimit(resource.RLIMIT_STACK)[0])
    return max(_LEAST, min(_MOST, stack // 4 if stack >= 0 else _MOST))


def _sysctls(spec: ContainerSpec, wanted: t.Mapping[str, str]) -> None:
    paths = {name: _of_any_link(spec, sysctl.path_of(name)) for name in sorted(wanted)}
    with contextlib.ExitStack() as stack:
        for kind in sorted({sysctls.kind_of(path) for path in paths.values()}):
            stack.enter_context(namespaces.fresh(kind))
        for name, path in paths.items():
            try:
                sysctl.can_write(path)
            except OSError as error:
                raise Invalid("sysctls", _REASONS.get(error.errno or 0, "%s: " + os.strerror(error.errno or 0)) % name) from error


def _of_any_link(spec: ContainerSpec, path: str) -> str:
    """Links come later: what there is of each of them there is of `default`, too."""
    parts = path.split("/")
    if parts[2:3] in (["conf"], ["neigh"]) and len(parts) > 3 and parts[3] not in _EVERYWHERE and spec.network_mode != "none":
        parts[3] = "default"
    return "/".join(parts)

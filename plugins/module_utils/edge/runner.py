# SPDX-License-Identifier: BSD-2-Clause
"""From AnsibleModule to the engine and back: every module is one call of `run`.

The only reader of check mode, and one of the two places where `except Exception` stands. Not here: options, parsing, results.
"""
from __future__ import annotations

import os
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.cocker.engine.plugins.module_utils.edge import compiled, kept, results
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options, Params, Spec
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported

OLDEST_PYTHON = (3, 9)
COMMON: Options = {
    "cocker_home": {"type": "path", "default": "/var/cocker", "fallback": (env_fallback, ["COCKER_HOME"])},
}

Wish = t.TypeVar("Wish")
Answer = t.TypeVar("Answer")
Result = t.Dict[str, t.Any]


def run(
    spec: Spec,
    *,
    parse: t.Callable[[Params], Wish],
    handler: t.Callable[[Host, Wish], Answer],
    shape: t.Callable[[Answer, Wish], Result],
) -> None:
    """Exits the process. Everything that can be found wrong with the options is found before the host is looked at."""
    wanted = kept.wish()
    module = AnsibleModule(argument_spec={**COMMON, **spec.options}, supports_check_mode=spec.check_mode, **spec.rules)
    try:
        require_platform(sys.platform, sys.version_info[:2])
        wish = parse(module.params)
        require_root(os.geteuid())
        host = open_host(module.params["cocker_home"], dry_run=module.check_mode or spec.reads_only)
        result = shape(handler(host, wish), wish)
        if result.get("changed") and not host.dry_run:
            compiled.save()
        if not module.check_mode and not result.get("failed"):
            kept.keep(wanted, module.params["cocker_home"])
    except Exception as error:  # a traceback on stdout is no answer: what is not known to go wrong is reported too
        result = failure(error)
    result = results.json_safe(result)
    if results.LOGGED in result:
        module.log(result.pop(results.LOGGED))
    _leave(module, result)


def require_platform(platform: str, python: t.Tuple[int, ...]) -> None:
    if not platform.startswith("linux"):
        raise Unsupported("run", platform, "containers need a Linux kernel")
    if python < OLDEST_PYTHON:
        raise Unsupported("run", "Python %d.%d" % python[:2], "3.9 or newer is needed on the host", hint="set ansible_python_interpreter")


def require_root(euid: int) -> None:
    if euid != 0:
        raise Unsupported("run", "as user id %d" % euid, "containers are made and inspected by root", hint="use become: true")


def failure(error: Exception) -> Result:
    """One clear sentence in `msg`; a traceback only where the fault is ours."""
    undone: Result = {"rolled_back": True} if getattr(error, "rolled_back", False) else {}
    if isinstance(error, CockerError):
        said: Result = {"msg": str(error), "error": type(error).__name__, **undone}
        if error.cleanup:
            said["cleanup_failures"] = [str(each) for each in error.cleanup]
        return {"failed": True, **said}
    trace = _traceback()
    if isinstance(error, OSError) and error.strerror:
        msg = "%s: %s" % (error.filename, error.strerror) if error.filename else error.strerror
        return {"failed": True, "msg": msg, "error": type(error).__name__, "traceback": trace.splitlines(), **undone}
    msg = "This is a bug in cocker.engine: %s: %s" % (type(error).__name__, error)
    # ansible-core drops `exception` where tracebacks are not asked for (2.19)
    return {"failed": True, "msg": msg, "error": type(error).__name__, "exception": trace, "traceback": trace.splitlines(), **undone}


def _traceback() -> str:
    import traceback  # only for failures

    return traceback.format_exc()


def _leave(module: AnsibleModule, result: Result) -> None:
    for warning in result.pop("warnings", ()):     # as a part of the result ansible-core 2.23 takes none
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)

# SPDX-License-Identifier: BSD-2-Clause
"""What the supervisor does for a container, read: its log, starting it again, checking it (parse_healthcheck.py)."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_healthcheck, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver, restarts, units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Found = t.Dict[str, t.Any]


def supervision(params: Params) -> Found:
    """Fields of ContainerSpec. Raises Invalid."""
    partial = params["image"] is None and params["images"] is None
    options = _log_options(params["log_options"])
    driver = params["log_driver"]
    logdriver.refuse_foreign(driver if driver or partial else logdriver.JSON_FILE, options)
    health = parse_healthcheck.check(params)
    return {"log_driver": driver, "log_options": options, "healthcheck": health, **_restart(params, partial=partial)}


def _restart(params: Params, *, partial: bool) -> Found:
    """`on-failure:3` is the same as on-failure and 3 retries. YAML reads `no` as false."""
    given, retries = params["restart_policy"], values.at_least(params["restart_retries"], 0, "restart_retries")
    if given is None:
        if retries and not partial:
            raise Invalid("restart_retries", "it goes with restart_policy: on-failure")
        return {"restart_policy": None, "restart_retries": retries}
    policy = restarts.parse(restarts.NO if given == "False" else given)
    if policy.retries and retries is not None and retries != policy.retries:
        raise Invalid("restart_retries", "%d is not what restart_policy says, %s" % (retries, policy))
    if retries and policy.name != restarts.ON_FAILURE:
        raise Invalid("restart_retries", "it goes with restart_policy: on-failure, not with %s" % policy.name)
    if partial and retries is None and policy.name != restarts.ON_FAILURE:
        retries = 0     # those of a former policy mean nothing for this one
    return {"restart_policy": policy.name, "restart_retries": policy.retries or retries}


def _log_options(given: t.Optional[t.Mapping[t.Any, t.Any]]) -> t.Optional[t.Dict[str, str]]:
    """Numbers and text mean the same, and so do max_size and max-size; a size is recorded in bytes."""
    if given is None:
        return None
    found = {}
    for key, value in sorted(given.items(), key=lambda pair: str(pair[0])):
        name = str(key).replace("_", "-")
        if name in found:
            raise Invalid(logdriver.OPTION, "%s is given twice" % name)
        found[name] = _log_option(name, value)
    return found


def _log_option(name: str, value: t.Any) -> str:
    option = "%s.%s" % (logdriver.OPTION, name)
    if value is None or isinstance(value, (bool, dict, list)):
        raise Invalid(option, "%r is neither text nor a number" % (value,))
    if name == logdriver.MAX_SIZE:
        size = units.parse_size(value, option)
        if size == 0:
            raise Invalid(option, "a log of no size is log_driver: none")
        return str(size)
    if name == logdriver.MAX_FILE:
        text = str(value).strip()
        if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) < 10 ** 6:
            raise Invalid(option, "%r is not a number of files, 1 or more" % (value,))
        return str(int(text))
    return values.plain(str(value), option)

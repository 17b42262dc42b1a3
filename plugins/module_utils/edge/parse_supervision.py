# SPDX-License-Identifier: BSD-2-Clause
"""What the supervisor does for a container, read: its log."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver, units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Found = t.Dict[str, t.Any]


def supervision(params: Params) -> Found:
    """Fields of ContainerSpec. Raises Invalid."""
    partial = params["image"] is None and params["images"] is None
    options = _log_options(params["log_options"])
    driver = params["log_driver"]
    logdriver.refuse_foreign(driver if driver or partial else logdriver.JSON_FILE, options)
    return {"log_driver": driver, "log_options": options}


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

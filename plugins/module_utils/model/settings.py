# SPDX-License-Identifier: BSD-2-Clause
"""What the annotations `cocker.*` of a config.json say to the supervisor. Pure, and small: the launcher reads it.

Not here: the rest of a config.json (oci.py), and writing one (runtime/spec.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck, logdriver, restarts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported

DEFAULT_STOP_TIMEOUT = 10


class Settings(t.NamedTuple):
    """What the annotations `cocker.*` say, which other runtimes pass over."""

    name: str = ""
    init: bool = False
    log_driver: str = logdriver.JSON_FILE
    log_size: int = logdriver.DEFAULT_SIZE
    log_files: int = logdriver.DEFAULT_FILES
    log_fields: logdriver.Fields = ()
    stop_signal: str = "TERM"
    stop_timeout: int = DEFAULT_STOP_TIMEOUT
    restart: restarts.Policy = restarts.Policy()
    health: t.Optional[healthcheck.Check] = None
    stdin_open: bool = False


def parse(annotations: t.Mapping[str, str]) -> Settings:
    """Those that we know: a newer engine may have written them for us. Raises Invalid, Unsupported for a value that is wrong."""
    plain: t.Dict[str, t.Any] = {}
    for key, (field, convert) in TABLE.items():
        if "cocker." + key in annotations:
            plain[field] = convert(annotations["cocker." + key], "annotations[cocker.%s]" % key)
    return Settings(**plain)


def _word(value: str, path: str) -> str:
    return value


def _truth(value: str, path: str) -> bool:
    if value not in ("true", "false"):
        raise Invalid(path, "%r is neither true nor false" % value)
    return value == "true"


def _count(value: str, path: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value[:20]) < 2**63:
        raise Invalid(path, "%r is not a number above 0" % value)
    return int(value)


def _seconds(value: str, path: str) -> int:
    return 0 if value == "0" else _count(value, path)


def _driver(value: str, path: str) -> str:
    if value not in logdriver.DRIVERS:
        raise Unsupported("config.json", path, "%r is not one of %s" % (value, ", ".join(logdriver.DRIVERS)))
    return value


def _fields(value: str, path: str) -> logdriver.Fields:
    try:
        return logdriver.fields(value)
    except ValueError as error:
        raise Invalid(path, str(error)) from None


TABLE: t.Dict[str, t.Tuple[str, t.Callable[[str, str], t.Any]]] = {
    "name": ("name", _word),
    "init": ("init", _truth),
    "log.driver": ("log_driver", _driver),
    "log.max-size": ("log_size", _count),
    "log.max-file": ("log_files", _count),
    "log.fields": ("log_fields", _fields),
    "restart": ("restart", restarts.parse),
    "health": ("health", healthcheck.from_json),
    "stdin-open": ("stdin_open", _truth),
    "stop-signal": ("stop_signal", _word),
    "stop-timeout": ("stop_timeout", _seconds),
}

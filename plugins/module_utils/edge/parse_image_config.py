# SPDX-License-Identifier: BSD-2-Clause
"""What an image is to say about running it: option `config` of cocker_image, read.

Not here: how it is laid over what the source says (engine/image_config.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_healthcheck, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options, Params
from ansible_collections.cocker.engine.plugins.module_utils.model import ports, units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

OPTIONS: Options = {
    "cmd": {"type": "raw", "aliases": ["command"]},
    "entrypoint": {"type": "raw"},
    "env": {"type": "dict"},
    "user": {"type": "str"},
    "working_dir": {"type": "str", "aliases": ["workdir"]},
    "labels": {"type": "dict"},
    "exposed_ports": {"type": "list", "elements": "str", "aliases": ["expose"]},
    "volumes": {"type": "list", "elements": "str"},
    "stop_signal": {"type": "str"},
    "healthcheck": {
        "type": "dict",
        "options": {
            "test": {"type": "raw", "required": True},
            "interval": {"type": "str"},
            "timeout": {"type": "str"},
            "start_period": {"type": "str"},
            "retries": {"type": "int"},
        },
    },
    "author": {"type": "str"},
}

_TIMES = (("interval", "Interval"), ("timeout", "Timeout"), ("start_period", "StartPeriod"))

Said = t.Dict[str, t.Any]


def config(params: t.Optional[Params]) -> Said:
    """Only what is said; fields of ImageConfig, and `author`. Raises Invalid."""
    given = {name: value for name, value in (params or {}).items() if value is not None and name in _READ}
    return {name: _READ[name](value, "config.%s" % name) for name, value in given.items()}


def _labels(value: t.Any, option: str) -> Said:
    said = values.labels({key: item for key, item in value.items() if item is not None}, option) or {}
    return {**said, **{str(key): None for key, item in value.items() if item is None}}


def _paths(given: t.Sequence[str], option: str) -> t.Tuple[str, ...]:
    return tuple(sorted({values.absolute(path, option) or "/" for path in given}))


def _exposed(given: t.Sequence[str], option: str) -> t.Tuple[str, ...]:
    found = ports.normalise(list(given), option=option)
    for mapping in found:
        if mapping.host_port is not None or mapping.host_ip or mapping.host_range:
            raise Invalid(option, "a port of the container alone is accepted, such as 80/tcp")
    return tuple(sorted("%d/%s" % (each.container_port, each.protocol) for each in found))


def _healthcheck(given: t.Mapping[str, t.Any], option: str) -> Said:
    """The OCI form. A string is for the image's shell; a list is executed, and may begin with CMD, CMD-SHELL or NONE as docker's does."""
    said: Said = {"Test": list(parse_healthcheck.test(given["test"], option + ".test"))}
    for name, key in _TIMES:
        if given.get(name) is not None:
            said[key] = parse_healthcheck.duration(given[name], "%s.%s" % (option, name))
    if given.get("retries") is not None:
        said["Retries"] = values.at_least(given["retries"], 1, option + ".retries")
    return said


_READ: t.Dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "cmd": lambda value, option: values.words(value, option) or (),
    "entrypoint": lambda value, option: values.words(value, option) or (),
    "env": values.environment,
    "user": lambda value, option: values.user(value, option) if value else "",
    "working_dir": lambda value, option: values.absolute(value, option) if value else "",
    "labels": _labels,
    "exposed_ports": _exposed,
    "volumes": _paths,
    "stop_signal": lambda value, option: units.signal_name(units.parse_signal(value, option)) if value else "",
    "healthcheck": _healthcheck,
    "author": values.plain,
}

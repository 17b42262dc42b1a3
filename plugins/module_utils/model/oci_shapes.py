# SPDX-License-Identifier: BSD-2-Clause
"""PURE: which fields those parts of a config.json have that are passed on as they are (OCI runtime spec, config-linux.md).

Not here: what their values mean (runtime/cgroups/, kernel/seccomp.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported

# A name with what is in it: None where a value is, an object's fields, a list of such objects; "*" is any name.
Shape = t.Union[None, t.Mapping[str, t.Any], t.Sequence[t.Any]]


def _fields(*names: str) -> t.Dict[str, Shape]:
    return dict.fromkeys(names)


_NUMBER = ("major", "minor")
_RATES = [_fields(*_NUMBER, "rate")]
RESOURCES: Shape = {
    "devices": [_fields("allow", "type", *_NUMBER, "access")],
    "memory": _fields(
        "limit", "reservation", "swap", "kernel", "kernelTCP", "swappiness", "disableOOMKiller", "useHierarchy", "checkBeforeUpdate"),
    "cpu": _fields("shares", "quota", "burst", "period", "realtimeRuntime", "realtimePeriod", "cpus", "mems", "idle"),
    "pids": _fields("limit"),
    "blockIO": {
        "weight": None, "leafWeight": None, "weightDevice": [_fields(*_NUMBER, "weight", "leafWeight")],
        "throttleReadBpsDevice": _RATES, "throttleWriteBpsDevice": _RATES,
        "throttleReadIOPSDevice": _RATES, "throttleWriteIOPSDevice": _RATES,
    },
    "hugepageLimits": [_fields("pageSize", "limit")],
    "network": {"classID": None, "priorities": [_fields("name", "priority")]},
    "rdma": {"*": _fields("hcaHandles", "hcaObjects")},
    "unified": None,
}
SECCOMP: Shape = {
    **_fields("defaultAction", "defaultErrnoRet", "architectures", "flags", "listenerPath", "listenerMetadata"),
    "syscalls": [{**_fields("names", "action", "errnoRet"), "args": [_fields("index", "value", "valueTwo", "op")]}],
}


def refuse_others(value: t.Any, shape: Shape, path: str) -> None:
    """Raises Unsupported, with the name of the field. Empty values say nothing and are fine."""
    if isinstance(shape, list) and isinstance(value, list):
        for place, item in enumerate(value):
            refuse_others(item, shape[0], "%s[%d]" % (path, place))
    elif isinstance(shape, dict) and isinstance(value, dict):
        for key in sorted(value):
            if key in shape or "*" in shape:
                refuse_others(value[key], shape.get(key, shape.get("*")), "%s.%s" % (path, key))
            elif value[key] not in (None, "", [], {}, False):
                raise Unsupported("config.json", "%s.%s" % (path, key), "this field is not supported")

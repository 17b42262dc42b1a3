# SPDX-License-Identifier: BSD-2-Clause
"""`update`: other limits for a container that is there, from options or from OCI `linux.resources` as JSON."""
from __future__ import annotations

import json
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import oci, oci_shapes
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.oci import config, flags, records
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory

# An option -> the section and the field of linux.resources.
FIELDS = {
    "blkio-weight": ("blockIO", "weight"), "cpu-period": ("cpu", "period"), "cpu-quota": ("cpu", "quota"), "cpu-share": ("cpu", "shares"),
    "cpu-burst": ("cpu", "burst"), "cpu-idle": ("cpu", "idle"), "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"), "cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems"),
    "memory": ("memory", "limit"), "memory-reservation": ("memory", "reservation"), "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}


def update(root: str, name: str, options: flags.Values) -> None:
    """Raises CockerError before the first write for a value that is wrong. What is set is also what the record says."""
    record = records.get(root, name)
    if not record.lives():
        raise CockerError("container not running")
    wanted = _read(options["resources"]) if options["resources"] else _given(options)
    if not wanted:
        return
    wanted = dict(oci.since_then(str(record.config.get("ociVersion")), wanted))
    factory.from_paths(record.cgroups).apply(wanted)
    linux = dict(record.config.get("linux") or {})
    linux["resources"] = _merged(linux.get("resources") or {}, wanted)
    records.write(root, record._replace(config=dict(record.config, linux=linux)))


def _read(path: str) -> t.Dict[str, t.Any]:
    """Rules of devices are replaced as a whole."""
    if path != "-":
        found = config.read_json(path, "no such file")
    else:
        try:
            found = json.loads(sys.stdin.buffer.read())
        except ValueError as error:
            raise Invalid("resources", "not JSON: %s" % error) from error
    if not isinstance(found, dict):
        raise Invalid("resources", "an object is wanted")
    oci_shapes.refuse_others(found, oci_shapes.RESOURCES, "resources")
    found = {key: value for key, value in found.items() if value}
    return dict(config.with_usual_devices(found)) if "devices" in found else found


def _given(options: flags.Values) -> t.Dict[str, t.Any]:
    found: t.Dict[str, t.Dict[str, t.Any]] = {}
    for option, (section, field) in FIELDS.items():
        if options[option] is not None:
            found.setdefault(section, {})[field] = options[option]
    return found


def _merged(old: t.Mapping[str, t.Any], new: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    found = dict(old)
    for key, value in new.items():
        found[key] = dict(old.get(key) or {}, **value) if isinstance(value, dict) else value
    return found

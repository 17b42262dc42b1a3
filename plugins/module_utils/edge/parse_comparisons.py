# SPDX-License-Identifier: BSD-2-Clause
"""The option `comparisons` of cocker_container: how each other option is compared with the container that is there.

Not here: comparing (model/changes.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

OPTION = "comparisons"
MODES = (changes.STRICT, changes.IGNORE, changes.ALLOW_MORE)
# Options that say something together, or under another name than the field that is compared.
FIELD_OF = {
    "image": "images", "volumes": "mounts", "tmpfs": "mounts", "cpus": "nano_cpus", "ipv4_address": "networks", "env_file": "env",
    "network_aliases": "networks", "healthcheck_interval": "healthcheck", "healthcheck_timeout": "healthcheck",
    "healthcheck_start_period": "healthcheck", "healthcheck_retries": "healthcheck", "no_healthcheck": "healthcheck",
}


def comparisons(given: t.Optional[t.Mapping[t.Any, t.Any]], options: Options) -> t.Dict[str, str]:
    """`options` are those of the module, whose aliases count. Raises Invalid."""
    names = {alias: name for name, option in options.items() for alias in (name, *option.get("aliases", ()))}
    fields = {field.name: field for field in FIELDS}
    found: t.Dict[str, str] = {}
    for option, mode in sorted((given or {}).items(), key=lambda pair: str(pair[0])):
        name = names.get(str(option), str(option))
        name = FIELD_OF.get(name, name)
        if name != changes.EVERY and name not in fields:
            raise Invalid(OPTION, "%r is not an option that is compared" % (option,))
        if mode not in MODES:
            raise Invalid(OPTION, "%r for %s is not one of %s" % (mode, option, ", ".join(MODES)))
        if mode == changes.ALLOW_MORE and name in fields and not changes.can_have_more(fields[name]):
            raise Invalid(OPTION, "%s for %s: it is one value, of which there is never more" % (mode, option))
        if found.setdefault(name, mode) != mode:
            raise Invalid(OPTION, "%s is to be compared in two ways" % option)
    return found

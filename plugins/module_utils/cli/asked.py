# SPDX-License-Identifier: BSD-2-Clause
"""Options as AnsibleModule would hand them to a parser of edge/: what a command line says, and every default beside it."""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

Params = t.Dict[str, t.Any]


def params(spec: Spec, **said: t.Any) -> Params:
    """Raises TypeError for an option that there is none of."""
    unknown = said.keys() - spec.options.keys()
    if unknown:
        raise TypeError("no option %s" % ", ".join(sorted(unknown)))
    return {**{name: option.get("default") for name, option in spec.options.items()}, **said}


def environment(pairs: t.Sequence[str]) -> t.Dict[str, str]:
    """As docker has it: a name alone takes the value from here, if there is one."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if equals or name in os.environ:
            found[name] = value if equals else os.environ[name]
    return found

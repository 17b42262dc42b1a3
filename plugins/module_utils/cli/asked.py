# SPDX-License-Identifier: BSD-2-Clause
"""Options as AnsibleModule would hand them to a parser of edge/: what a command line says, and every default beside it."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

Params = t.Dict[str, t.Any]


def params(spec: Spec, **said: t.Any) -> Params:
    """Raises TypeError for an option that there is none of."""
    unknown = said.keys() - spec.options.keys()
    if unknown:
        raise TypeError("no option %s" % ", ".join(sorted(unknown)))
    return {**{name: option.get("default") for name, option in spec.options.items()}, **said}

# SPDX-License-Identifier: BSD-2-Clause
"""The shape of a module's argument specification.

Not here: the options of each module (args_*.py), those that every module has (runner.py), what their values mean (parse_*.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import compiled

compiled.use()      # here, as this is the first file that a module imports

Option = t.Dict[str, t.Any]
Options = t.Dict[str, Option]
Params = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Spec:
    """`rules` are AnsibleModule's own relations between options. A module that `reads_only` changes nothing, not even after a crash."""

    options: Options
    rules: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    check_mode: bool = True
    reads_only: bool = False

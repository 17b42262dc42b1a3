# SPDX-License-Identifier: BSD-2-Clause
"""PURE: in which order things are made that need one another."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def order(needs: t.Mapping[str, t.Collection[str]], option: str) -> t.List[str]:
    """What is needed comes before what needs it, else in the given order. Names that are no keys are others' business. Raises Invalid."""
    found: t.List[str] = []
    done: t.Set[str] = set()

    def visit(name: str, path: t.Tuple[str, ...]) -> None:
        if name in path:
            raise Invalid(option, "%s need one another" % " -> ".join((*path[path.index(name):], name)))
        if name in done or name not in needs:
            return
        for each in sorted(needs[name]):
            visit(each, (*path, name))
        done.add(name)
        found.append(name)

    for name in needs:
        visit(name, ())
    return found

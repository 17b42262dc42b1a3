# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as AnsibleModule hands them over: every one is there, with its default or None."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options


def _filled(options: Options, given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    unknown = set(given) - set(options)
    if unknown:
        raise ValueError("no such option: %s" % ", ".join(sorted(unknown)))
    params = {name: given.get(name, option.get("default")) for name, option in options.items()}
    for name, option in options.items():
        if "options" in option and params[name] is not None:
            given_here = params[name]
            inner = option["options"]
            params[name] = _filled(inner, given_here) if option["type"] == "dict" else [_filled(inner, each) for each in given_here]
    return params


@pytest.fixture
def filled() -> t.Callable[[Options, t.Mapping[str, t.Any]], t.Dict[str, t.Any]]:
    return _filled

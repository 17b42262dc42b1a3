# SPDX-License-Identifier: GPL-3.0-or-later
"""How options are compared: by their names and aliases, in words that mean something for them."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_comparisons
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

OPTIONS = args_container.SPEC.options


@pytest.mark.parametrize("given,found", [
    (None, {}),
    ({"*": "ignore"}, {"*": "ignore"}),
    ({"image": "ignore", "env": "allow_more_present"}, {"images": "ignore", "env": "allow_more_present"}),
    ({"ports": "allow_more_present", "label": "strict"}, {"published_ports": "allow_more_present", "labels": "strict"}),
    ({"volumes": "ignore", "tmpfs": "ignore"}, {"mounts": "ignore"}),
    ({"cpus": "ignore"}, {"nano_cpus": "ignore"}),
    ({"health_interval": "ignore", "healthcheck": "ignore"}, {"healthcheck": "ignore"}),
])
def test_options_are_known_by_their_names(given: t.Any, found: t.Dict[str, str]) -> None:
    assert parse_comparisons.comparisons(given, OPTIONS) == found


@pytest.mark.parametrize("given", [
    {"nothing": "ignore"}, {"name": "ignore"}, {"env": "sometimes"}, {"memory": "allow_more_present"}, {"init": "allow_more_present"},
    {"volumes": "ignore", "tmpfs": "strict"}, {"env": None}, {"env": ["ignore"]},
])
def test_what_says_nothing_is_refused(given: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as caught:
        parse_comparisons.comparisons(given, OPTIONS)
    assert caught.value.subject == "comparisons"


def test_every_field_can_be_named_by_an_option() -> None:
    fields = {field.name for field in FIELDS}
    assert {parse_comparisons.FIELD_OF.get(name, name) for name in OPTIONS} >= fields
    assert set(parse_comparisons.FIELD_OF.values()) <= fields

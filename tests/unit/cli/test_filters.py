# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import filters
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

KNOWN: t.Dict[str, filters.Test] = {
    "name": lambda item, value: value in item["name"],
    "label": lambda item, value: filters.label(item["labels"], value),
}
ITEMS = [
    {"name": "web1", "labels": {"tier": "front", "site": "a"}},
    {"name": "web2", "labels": {"tier": "front"}},
    {"name": "db", "labels": {}},
]


@pytest.mark.parametrize(("given", "names"), [
    ([], ["web1", "web2", "db"]),
    (["name=web"], ["web1", "web2"]),
    (["name=web1", "name=db"], ["web1", "db"]),
    (["label=tier"], ["web1", "web2"]),
    (["label=tier=front", "label=site"], ["web1"]),
    (["name=web", "label=site=b"], []),
])
def test_what_is_kept(given: t.List[str], names: t.List[str]) -> None:
    assert [item["name"] for item in filters.keep(ITEMS, filters.parse(given, KNOWN), KNOWN)] == names


@pytest.mark.parametrize("text", ["name", "colour=red", ""])
def test_an_unknown_filter_names_the_known_ones(text: str) -> None:
    with pytest.raises(Invalid, match="label, name"):
        filters.parse([text], KNOWN)

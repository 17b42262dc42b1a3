# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import volumes
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

VOLUME = volumes.Volume("data", "2024-01-01T00:00:00Z", {"a": "b"})


def test_volume_is_made_once_and_keeps_its_data(layout: Layout) -> None:
    volumes.ensure(layout, VOLUME)
    with open(os.path.join(layout.volume_data("data"), "precious"), "w"):
        pass
    volumes.ensure(layout, volumes.Volume("data", "later", {"a": "c"}))
    assert volumes.get(layout, "data") == volumes.Volume("data", VOLUME.created, {"a": "c"})
    assert os.listdir(layout.volume_data("data")) == ["precious"]
    assert os.stat(layout.volume_data("data")).st_mode & 0o7777 == 0o755
    assert os.listdir(layout.volumes) == ["data"]


def test_data_without_a_record_is_not_touched(layout: Layout) -> None:
    os.makedirs(layout.volume_data("data"))
    with pytest.raises(Conflict, match="in the way"):
        volumes.ensure(layout, VOLUME)
    assert os.path.isdir(layout.volume_data("data")) and os.listdir(layout.volumes) == ["data"]


def test_removed_volume_is_gone(layout: Layout) -> None:
    volumes.ensure(layout, VOLUME)
    volumes.remove(layout, "data")
    volumes.remove(layout, "data")
    assert volumes.find(layout, "data") is None and os.listdir(layout.volumes) == []
    with pytest.raises(NotFound):
        volumes.get(layout, "data")


def test_listing(layout: Layout) -> None:
    for name in ("b", "a"):
        volumes.ensure(layout, volumes.Volume(name, "now"))
    with open(layout.volume_record("b"), "w"):
        pass
    listing = volumes.all_volumes(layout)
    assert [volume.name for volume in listing.values] == ["a"] and len(listing.damaged) == 1

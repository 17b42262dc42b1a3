# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.storage import gc, images, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

NOW = "2024-01-01T00:00:00Z"


def record(name: str, version: str = "_", used: t.Sequence[str] = ()) -> ImageRecord:
    return ImageRecord(name, version, tuple(used), ImageConfig(cmd=("/bin/sh",)), NOW, Provenance("host", "sha256:0"), 1)


def make_layer(layout: Layout, image: t.Optional[str] = None) -> str:
    with layers.new(layout) as staging:
        with open(os.path.join(staging.diff, "file"), "w") as stream:
            stream.write("x" * 10000)
        layer = staging.commit(created=NOW, size=10000, entries=1, source="test", digest="sha256:1")
        if image is not None:
            images.save(layout, record(image, used=[layer.id]))
    return layer.id


def test_saved_image_is_found_again(layout: Layout) -> None:
    images.save(layout, record("localhost:5000/team/app", "1.0"))
    assert images.find(layout, "localhost:5000/team/app", "1.0") == record("localhost:5000/team/app", "1.0")
    assert images.find(layout, "localhost:5000/team/app", None) is None


def test_largest_version_is_meant_when_none_is_said(layout: Layout) -> None:
    for version in ("1.9.2", "_", "1.10.0", "latest"):
        images.save(layout, record("a", version))
    assert images.resolve(layout, ImageRef("a")).version == "1.10.0"
    assert images.resolve(layout, ImageRef("a", "_")).version == "_"
    with pytest.raises(NotFound, match="a:3.*versions there: 1.10.0, 1.9.2, latest, _"):
        images.resolve(layout, ImageRef("a", "3"))
    with pytest.raises(NotFound):
        images.resolve(layout, ImageRef("b"))


def test_damaged_image_is_named_and_hides_no_other(layout: Layout) -> None:
    for name in ("a", "b", "c"):
        images.save(layout, record(name))
    with open(layout.image("b", None), "w") as stream:
        stream.write("{")
    listing = images.all_images(layout)
    assert [image.name for image in listing.values] == ["a", "c"] and len(listing.damaged) == 1
    with pytest.raises(Damaged):
        images.resolve(layout, ImageRef("b"))
    images.remove(layout, "b", None)
    assert images.all_images(layout).damaged == []


def test_removed_image_leaves_no_directories(layout: Layout) -> None:
    images.save(layout, record("a", "1"))
    images.save(layout, record("a", "2"))
    images.remove(layout, "a", "1")
    images.remove(layout, "a", "1")
    assert layout.image_versions("a") == ["2"]
    images.remove(layout, "a", "2")
    assert os.listdir(layout.images) == []


def test_layer_is_found_whole(layout: Layout) -> None:
    found = layers.get(layout, make_layer(layout))
    assert (found.size, found.entries, found.source, found.digest) == (10000, 1, "test", "sha256:1")
    assert os.stat(layout.diff(found.id)).st_mode & 0o7777 == 0o755 and os.stat(layout.layer(found.id)).st_mode & 0o7777 == 0o700
    with pytest.raises(NotFound):
        layers.get(layout, "none")


@pytest.mark.parametrize("committed", [False, True])
def test_failure_leaves_no_layer(layout: Layout, committed: bool) -> None:
    with pytest.raises(KeyError), layers.new(layout) as staging:
        if committed:
            staging.commit(created=NOW, size=0, entries=0, source="test")
        raise KeyError
    assert os.listdir(layout.layers) == []


def test_collection_takes_what_nobody_refers_to(layout: Layout) -> None:
    kept, pinned, unused = make_layer(layout, "a"), make_layer(layout), make_layer(layout)
    os.makedirs(os.path.join(layout.image_directory("half"), "1"))
    plan = gc.collect(layout, lambda: [pinned], dry_run=True)
    assert plan.layers == (unused,) and plan.bytes >= 10000 and os.path.exists(layout.layer(unused))
    assert gc.collect(layout, lambda: [pinned]) == plan
    assert layout.layer_ids() == sorted([kept, pinned]) and layout.image_names() == ["a"]
    assert gc.collect(layout, lambda: [pinned]) == gc.Collected((), (), 0)


def test_collection_spares_a_layer_whose_image_is_not_written_yet(layout: Layout) -> None:
    with layers.new(layout) as staging:
        assert gc.collect(layout, lambda: ()) == gc.Collected((), (), 0)
        layer = staging.commit(created=NOW, size=0, entries=0, source="test")
        assert gc.collect(layout, lambda: ()) == gc.Collected((), (), 0)
        images.save(layout, record("a", used=[layer.id]))
    assert gc.collect(layout, lambda: ()).layers == ()


def test_collection_asks_again_under_the_lock(layout: Layout) -> None:
    """An image is written after the first look, before the layer is taken."""
    layer = make_layer(layout)
    answers = [[], [layer]]
    assert gc.collect(layout, lambda: answers.pop(0)).layers == ()
    assert layout.layer_ids() == [layer]


def test_collection_stops_at_an_image_that_it_cannot_read(layout: Layout) -> None:
    layer = make_layer(layout, "a")
    with open(layout.image("a", None), "w"):
        pass
    with pytest.raises(Damaged, match="unreadable"):
        gc.collect(layout, lambda: ())
    assert layout.layer_ids() == [layer]


def test_litter_of_a_killed_removal_is_taken(layout: Layout) -> None:
    for folder in (layout.layers, layout.volumes):
        os.makedirs(os.path.join(folder, ".tmp-dead", "diff", "x"))
    assert len(gc.collect(layout, lambda: ()).litter) == 2
    assert os.listdir(layout.layers) == os.listdir(layout.volumes) == []

# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of images in archives, as they come and as they go."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.basic")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image, args_image_export, parse_image, parse_image_export
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import ExportWish
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish


def validated(spec: t.Any, said: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    result = ArgumentSpecValidator(spec.options, **spec.rules).validate(said)
    assert not result.error_messages
    return t.cast(t.Dict[str, t.Any], result.validated_parameters)


def image(**said: t.Any) -> ImageWish:
    return parse_image.wish(validated(args_image.SPEC, said))


def export(**said: t.Any) -> ExportWish:
    return parse_image_export.wish(validated(args_image_export.SPEC, said))


@pytest.mark.parametrize("said, name, version", [
    ({"path": "/x/app:1.0.cockerimage"}, "app", "1.0"),
    ({"path": "/x/app.cockerimage"}, "app", None),
    ({"path": "/x/calvin=rhel-7.4-x86_64:2.cockerimage"}, "calvin=rhel-7.4-x86_64", "2"),
    ({"path": "/x/registry.example%2Fteam%2Fapp:1.cockerimage"}, "registry.example/team/app", "1"),
    ({"path": "/x/app:1.0.cockerimage", "version": "3"}, "app", "3"),
    ({"path": "/x/app:1.0.cockerimage", "name": "other"}, "other", None),
])
def test_a_cockerimage_brings_its_name(said: t.Dict[str, str], name: str, version: t.Optional[str]) -> None:
    wish = image(source="archive", **said)
    assert (wish.name, wish.version) == (name, version)


@pytest.mark.parametrize("said, option", [
    ({"source": "archive", "path": "/x/app.tar"}, "name"), ({"source": "archive", "path": "/x/.cockerimage"}, "name"),
    ({"source": "archive", "path": "/x/..cockerimage"}, "name"), ({"state": "absent"}, "name"), ({"source": "host"}, "name"),
    ({"name": "a", "source": "host", "format": "rootfs"}, "format"), ({"name": "a", "source": "host", "archive_image": "b"}, "archive_image"),
    ({"name": "a", "source": "archive", "path": "/x", "unpacked_limit": "many"}, "unpacked_limit"),
    ({"name": "a", "source": "archive", "path": "/x", "unpacked_limit": "0"}, "unpacked_limit"),
    ({"name": "a", "source": "archive", "path": "/x", "platform": "amd64"}, "platform"),
])
def test_what_is_wrong_is_named(said: t.Dict[str, str], option: str) -> None:
    with pytest.raises(Invalid, match="option " + option):
        image(**said)


def test_limit() -> None:
    assert image(name="a", source="archive", path="/x", unpacked_limit="20G").unpacked_limit == 20 << 30
    assert (image(name="a", source="archive", path="/x", unpacked_limit="unlimited").unpacked_limit or 0) > 1 << 60


@pytest.mark.parametrize("said, wish", [
    ({"names": "app:1", "path": "/x"}, ExportWish((ImageRef("app", "1"),), "/x", "docker-archive", "plain")),
    ({"name": ["app", "b:2"], "tag": "1", "dest": "/x"}, ExportWish((ImageRef("app", "1"), ImageRef("b", "2")), "/x", "docker-archive", "plain")),
    ({"image": "app", "path": "/x.cockerimage"}, ExportWish((ImageRef("app"),), "/x.cockerimage", "cockerimage", "gzip")),
    ({"name": "app", "path": "/x", "format": "oci-archive"}, ExportWish((ImageRef("app"),), "/x", "oci-archive", "gzip")),
    ({"name": "app", "path": "/x", "format": "rootfs", "compression": "zstd"}, ExportWish((ImageRef("app"),), "/x", "rootfs", "zstd")),
])
def test_exports(said: t.Dict[str, t.Any], wish: ExportWish) -> None:
    assert export(**said) == wish


@pytest.mark.parametrize("said, option", [
    ({"names": [], "path": "/x"}, "names"), ({"names": ["a", "a"], "path": "/x"}, "names"), ({"names": ["a", "b"], "path": "/x", "format": "rootfs"}, "names"),
    ({"names": "a", "path": "x"}, "path"), ({"names": "a", "path": "/x", "format": "cockerimage", "compression": "none"}, "compression"),
    ({"names": "a b", "path": "/x"}, "names"), ({"names": "a", "version": "/", "path": "/x"}, "version"),
])
def test_exports_that_make_no_sense_are_named(said: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid, match="option " + option):
        export(**said)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of cocker_repository, cocker_repository_info and cocker_image's source: repository."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.basic")

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image, args_repository, parse_image, parse_repository
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Reach

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"


def params(spec: Spec, **said: t.Any) -> t.Dict[str, t.Any]:
    return {**{name: option.get("default") for name, option in spec.options.items()}, **said}


def wish(**said: t.Any) -> t.Any:
    return parse_repository.wish(params(args_repository.REPOSITORY, **said))


def test_a_push() -> None:
    found = wish(name="app", version="1", repository="images@store:2222/srv", repository_identity="/k", repository_host_key=KEY + " root@store")
    assert (found.image, found.target, found.force) == (ImageRef("app", "1"), None, False)
    assert found.reach == Reach(Address("store", "images", 2222, "/srv"), "/k", None, KEY, 60)


def test_where_nothing_is_said_the_host_knows() -> None:
    assert wish(name="app:1").reach == Reach()
    assert wish(remember=True, repository="store").image is None


@pytest.mark.parametrize(("said", "option"), [
    ({}, "name"), ({"version": "1", "remember": True}, "version"), ({"reference": "a", "remember": True}, "reference"),
    ({"force": True, "remember": True}, "force"), ({"state": "absent", "remember": True}, "state"), ({"name": "app", "state": "absent"}, "version"),
    ({"name": "app:1", "state": "absent", "force": True}, "force"), ({"name": "app:1", "reference": "a b"}, "reference"),
    ({"name": "app:1", "repository": "http://store"}, "repository"), ({"name": "app:1", "repository_timeout": 0}, "repository_timeout"),
    ({"name": "app:1", "repository_identity": "k"}, "repository_identity"), ({"name": "app:1", "repository_identity": "/%h"}, "repository_identity"),
    ({"name": "app:1", "repository_known_hosts": "/a\"b"}, "repository_known_hosts"), ({"name": "app:1", "repository_host_key": "AAAA"}, "repository_host_key"),
    ({"name": "app:1", "repository_host_key": KEY, "repository_known_hosts": "/k"}, "repository_known_hosts"),
])
def test_what_is_refused(said: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid) as error:
        wish(**said)
    assert error.value.subject == option


def test_an_image_without_a_version_is_removed_by_its_sign() -> None:
    assert wish(name="app:_", state="absent").image == ImageRef("app", "_")


def image(**said: t.Any) -> t.Any:
    return parse_image.wish(params(args_image.SPEC, **{"name": "app:1", "source": "repository", **said}))


def test_an_image_is_called_there_as_here_or_as_is_said() -> None:
    assert image().fetch.ref == ImageRef("app", "1") and not image().fetch.is_open and image().pull is None
    found = image(reference="other", pull="always").fetch
    assert (found.ref, found.is_open, found.policy) == (ImageRef("other"), True, "always")
    assert image(state="absent").fetch is None and image(source="host").fetch is None


@pytest.mark.parametrize(("said", "option"), [
    ({"source": "host", "reference": "a"}, "reference"), ({"platform": "linux/arm64"}, "platform"), ({"path": "/a"}, "path"),
])
def test_what_an_image_refuses(said: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid) as error:
        image(**said)
    assert error.value.subject == option


def test_a_search() -> None:
    found = parse_repository.query(params(args_repository.INFO, match="rhel", repository="store"))
    assert (found.name, found.match, found.reach.address) == (None, "rhel", Address("store"))

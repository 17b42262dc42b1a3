# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of cocker_container_copy, read."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.basic")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_copy, parse_copy, values
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CopyWish

DIGEST = "a" * 64
TOP = {"path": "", "kind": "directory", "mode": 0o755, "uid": 0, "gid": 0}


def wish(**said: t.Any) -> CopyWish:
    given = {"container": "web", "container_path": "/x", **said}
    checked = ArgumentSpecValidator(args_copy.SPEC.options, **args_copy.SPEC.rules).validate(given)
    assert checked.error_messages == []
    return parse_copy.wish(checked.validated_parameters)


def test_a_task_for_docker_means_the_same() -> None:
    found = wish(path="/src/file", container_path="/dst/file", owner_id=10, group_id=20, mode=0o640, local_follow=False, force=True)
    assert (found.path, found.owner, found.group, found.mode, found.local_follow, found.force) == ("/src/file", "10", "20", 0o640, False, True)


def test_a_task_for_podman_means_the_same() -> None:
    given = {"name": "web", "src": "/host/dir", "dest": "/there/", "from_container": True, "archive": False}
    found = parse_copy.wish(ArgumentSpecValidator(args_copy.SPEC.options, **args_copy.SPEC.rules).validate(given).validated_parameters)
    assert (found.container, found.direction, found.path, found.container_path, found.archive) == (
        "web", "from_container", "/host/dir", "/there", False)


@pytest.mark.parametrize(("said", "option"), [
    ({"path": "relative"}, "path"),
    ({"path": "/a", "container_path": "b"}, "container_path"),
    ({"content": "x", "direction": "from_container"}, "path"),
    ({"path": "/a", "content_is_b64": True}, "content_is_b64"),
    ({"content": "!", "content_is_b64": True}, "content"),
    ({"path": "/a", "remote_src": False}, "remote_src"),
    ({"path": "/a", "remote_src": False, "from_container": True}, "remote_src"),
    ({"content": "x", "mode": "rw"}, "mode"),
    ({"content": "x", "mode": 644000}, "mode"),
    ({"content": "x", "directory_mode": True}, "directory_mode"),
    ({"content": "x", "owner_id": "a:b"}, "owner_id"),
    ({"content": "x", "group_id": "\u0663"}, "group_id"),
    ({"content": "x", "container": "a/b"}, "container"),
    ({"sent": {}}, "sent"),
    ({"sent": {"entries": []}}, "sent"),
    ({"sent": {"entries": [dict(TOP, path="../up")]}}, "sent"),
    ({"sent": {"entries": [dict(TOP, path="/abs")]}}, "sent"),
    ({"sent": {"entries": [dict(TOP, kind="device")]}}, "sent"),
    ({"sent": {"entries": [TOP], "contents": ["../etc"]}}, "sent"),
    ({"sent": {"entries": [dict(TOP, kind="file", digest="short")]}}, "sent"),
], ids=str)
def test_a_bad_value_names_its_option(said: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid) as error:
        wish(**said)
    assert error.value.subject == option


def test_what_lies_on_the_controller() -> None:
    file = {"path": "a/b", "kind": "file", "mode": 0o644, "uid": 0, "gid": 0, "size": 3, "digest": DIGEST}
    found = wish(sent={"entries": [TOP, file], "contents": [DIGEST], "pack": "/tmp/pack", "name": "site"}).sent
    assert found is not None and [entry.path for entry in found.entries] == ["", "a/b"] and found.contents == (DIGEST,)


@pytest.mark.parametrize(("given", "mode"), [(None, None), ("0644", 0o644), ("644", 0o644), (0o644, 0o644), ("04755", 0o4755), ("0", 0)])
def test_modes(given: t.Any, mode: t.Optional[int]) -> None:
    assert values.mode(given, "mode") == mode

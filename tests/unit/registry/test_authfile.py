# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.registry import authfile
from ansible_collections.cocker.engine.plugins.module_utils.registry.credentials import Credentials

BOB, ANN = Credentials("bob", "s3:cret"), Credentials("ann", "x")
SAID = {"auth": "Ym9iOnMzOmNyZXQ="}


def written(folder: pathlib.Path, content: t.Any) -> str:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize("content, found", [
    ({"auths": {"r.example": SAID}}, BOB),
    ({"auths": {"https://r.example/v1/": SAID}}, BOB),
    ({"auths": {"r.example/": SAID}}, BOB),
    ({"auths": {"r.example": {"username": "ann", "password": "x"}}}, ANN),
    ({"auths": {"r.example": {"username": "ann", "password": "x"}, "r.example/team/app": SAID}}, BOB),
    ({"auths": {"r.example": {"username": "ann", "password": "x"}, "r.example/other": SAID}}, ANN),
    ({"auths": {"r.example:5000": SAID, "x.r.example": SAID}}, None),
    ({"auths": {"r.example": {}}}, None),
    ({"auths": {}, "credsStore": "desktop"}, None),
    ({}, None), ("", None),
])
def test_credentials_are_found(tmp_path: pathlib.Path, content: t.Any, found: t.Optional[Credentials]) -> None:
    assert authfile.find([written(tmp_path, content)], "r.example", "team/app") == found


@pytest.mark.parametrize("content, error", [
    ({"auths": {"r.example": {}}, "credsStore": "desktop"}, Unsupported),
    ({"credHelpers": {"r.example": "cloud"}}, Unsupported),
    ({"auths": {"r.example": {"identitytoken": "x"}}}, Unsupported),
    ({"auths": {"r.example": {"auth": "no base64 s3cret"}}}, Damaged),
    ({"auths": {"r.example": {"auth": "bm9jb2xvbg=="}}}, Damaged),
    ({"auths": {"r.example": {"auth": 3}}}, Damaged),
    ({"auths": []}, Unsupported), ({"auths": "s3cret"}, Damaged), ("{s3cret", Damaged), ("[]", Damaged), (" " * (1 << 20) + "{}", Damaged),
])
def test_file_that_does_not_help_is_named_and_not_quoted(tmp_path: pathlib.Path, content: t.Any, error: t.Type[CockerError]) -> None:
    path = written(tmp_path, content)
    if content == {"auths": []}:        # an empty list is as good as nothing
        assert authfile.find([path], "r.example") is None
        return
    with pytest.raises(error, match="config.json") as caught:
        authfile.find([path], "r.example")
    assert "s3cret" not in str(caught.value)


def test_first_file_that_knows_the_registry_decides(tmp_path: pathlib.Path) -> None:
    for name, credentials in (("a", BOB), ("b", ANN)):
        authfile.store(str(tmp_path / name / "auth.json"), "r.example", credentials)
    paths = [str(tmp_path / name / "auth.json") for name in ("missing", "a", "b")]
    assert authfile.find(paths, "r.example") == BOB


def test_what_is_stored_is_private_and_found_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "auth.json"
    authfile.store(str(path), "r.example", BOB)
    authfile.store(str(path), "r.example:5000", ANN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (authfile.own(str(path), "r.example"), authfile.own(str(path), "r.example:5000")) == (BOB, ANN)
    assert os.listdir(path.parent) == ["auth.json"]


def test_what_else_the_file_says_is_kept(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, {"auths": {"r.example": SAID, "other.example": SAID}, "proxies": {"x": 1}})
    authfile.store(path, "r.example", None)
    assert json.loads(pathlib.Path(path).read_text()) == {"auths": {"other.example": SAID}, "proxies": {"x": 1}}


def test_link_to_the_file_stays_one(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, {})
    (tmp_path / "link").symlink_to(path)
    authfile.store(str(tmp_path / "link"), "r.example", BOB)
    assert (tmp_path / "link").is_symlink() and authfile.own(path, "r.example") == BOB


@pytest.mark.parametrize("environment, wanted", [
    ({"HOME": "/h"}, ["/ours", "/run/containers/%d/auth.json" % os.geteuid(), "/h/.config/containers/auth.json", "/h/.docker/config.json"]),
    ({"HOME": "/h", "XDG_RUNTIME_DIR": "/r", "DOCKER_CONFIG": "/d"}, ["/ours", "/r/containers/auth.json", "/h/.config/containers/auth.json", "/d/config.json"]),
    ({"HOME": "/h", "REGISTRY_AUTH_FILE": "/f"}, ["/ours", "/f", "/h/.config/containers/auth.json", "/h/.docker/config.json"]),
])
def test_where_others_keep_theirs(environment: t.Dict[str, str], wanted: t.List[str]) -> None:
    assert authfile.places("/ours", environment) == wanted

# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say how registries are reached, and those of cocker_login."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_registry, parse_registry
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Access, LoginWish

Filled = t.Callable[..., t.Dict[str, t.Any]]
Given = t.Dict[str, t.Any]
WHO: Given = {"username": "ann", "password": "s3cret"}


def read(filled: Filled, given: Given) -> LoginWish:
    return parse_registry.login(filled(args_registry.LOGIN.options, given))


@pytest.mark.parametrize(("given", "wish"), [
    ({"registry": "r.example", **WHO}, LoginWish("r.example", "ann", "s3cret")),
    ({"registry": "https://r.example:5000/v2/", **WHO}, LoginWish("r.example:5000", "ann", "s3cret")),
    ({"registry": "localhost", "state": "absent"}, LoginWish("localhost", state="absent")),
    ({"registry": "r.example", **WHO, "verify": False, "reauthorize": True}, LoginWish("r.example", "ann", "s3cret", verify=False, reauthorize=True)),
    ({"registry": "r.example", **WHO, "ca_path": "/ca", "config_path": "/c.json", "registry_timeout": 5, "validate_certs": False},
     LoginWish("r.example", "ann", "s3cret", access=Access(validate_certs=False, ca_path="/ca", timeout=5, auth_path="/c.json"))),
    ({"registry": "localhost:5000", **WHO, "plain_http": True}, LoginWish("localhost:5000", "ann", "s3cret", access=Access(plain_http=True))),
])
def test_login_means(filled: Filled, given: Given, wish: LoginWish) -> None:
    assert read(filled, given) == wish


@pytest.mark.parametrize(("option", "given"), [
    ("registry", {"registry": "debian", **WHO}),
    ("registry", {"registry": "r.example/team", **WHO}),
    ("registry", {"registry": "", **WHO}),
    ("username", {"registry": "r.example", "password": "x"}),
    ("username", {"registry": "r.example", "username": "a:b", "password": "x"}),
    ("username", {"registry": "r.example", "username": "a\n", "password": "x"}),
    ("password", {"registry": "r.example", "username": "ann"}),
    ("password", {"registry": "r.example", "username": "ann", "password": ""}),
    ("password", {"registry": "r.example", "username": "ann", "password": "s3cret\n"}),
    ("registry_timeout", {"registry": "r.example", **WHO, "registry_timeout": 0}),
    ("ca_path", {"registry": "r.example", **WHO, "ca_path": "/ca", "plain_http": True}),
])
def test_what_does_not_fit_names_the_option_and_no_secret(filled: Filled, option: str, given: Given) -> None:
    with pytest.raises(Invalid) as caught:
        read(filled, given)
    assert caught.value.subject == option and "s3cret" not in str(caught.value)


def test_password_is_not_shown() -> None:
    assert "s3cret" not in repr(LoginWish("r.example", "ann", "s3cret"))

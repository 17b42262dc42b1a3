# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Remote
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Denied
from ansible_collections.cocker.engine.plugins.module_utils.registry import auth
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import Client
from ansible_collections.cocker.engine.plugins.module_utils.registry.transport import Origin, Transport
from ansible_collections.cocker.engine.tests.unit.registry.scripted import Answer, Server, serving

BOB = auth.Credentials("bob", "s3cr:et")
BASIC = "Basic Ym9iOnMzY3I6ZXQ="


@pytest.mark.parametrize("header, scheme, values", [
    ('Bearer realm="https://r.example/token",service="r",scope="repository:a:pull"', "bearer",
     {"realm": "https://r.example/token", "service": "r", "scope": "repository:a:pull"}),
    ('Basic realm="Registry Realm"', "basic", {"realm": "Registry Realm"}),
    ("basic realm=x", "basic", {"realm": "x"}),
    (r'Bearer realm="a\"b", service=s', "bearer", {"realm": 'a"b', "service": "s"}),
    ('Negotiate, Basic realm="x"', "basic", {"realm": "x"}),
    ("Bearer", "bearer", {}),
])
def test_challenge_is_read(header: str, scheme: str, values: t.Dict[str, str]) -> None:
    assert auth.parse_challenge(header) == auth.Challenge(scheme, values)


@pytest.mark.parametrize("header", ["", "Negotiate", "Basically x=1", "Digest realm=x"])
def test_challenge_that_we_cannot_answer(header: str) -> None:
    assert auth.parse_challenge(header) is None


def test_password_is_not_shown() -> None:
    assert "s3cr" not in repr(BOB)


def ask(server: Server, credentials: t.Optional[auth.Credentials], times: int = 1) -> None:
    transport = Transport(timeout=5, sleep=lambda seconds: None)
    client = Client(Remote(server.host, "app"), transport, credentials=credentials, scheme="http")
    try:
        for _time in range(times):
            client.find_digest("latest")
    finally:
        transport.close()


def basic() -> Answer:
    return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})


def bearer(realm: str) -> Answer:
    return Answer(401, headers={"WWW-Authenticate": 'Bearer realm="%s",service="here",scope="ignored"' % realm})


def found() -> Answer:
    return Answer(headers={"Docker-Content-Digest": "sha256:" + 64 * "a"})


def token(text: str) -> Answer:
    return Answer(body=json.dumps({"token": text}).encode())


def sent(server: Server) -> t.List[t.Optional[str]]:
    return [each.headers.get("Authorization") for each in server.asked]


def test_password_is_sent_only_when_it_is_asked_for() -> None:
    with serving(basic(), found(), found()) as server:
        ask(server, BOB, times=2)
        assert sent(server) == [None, BASIC, BASIC]


def test_token_is_fetched_once_for_a_scope() -> None:
    with serving(token("abc")) as realm, serving(bearer(realm.url + "/t?x=1"), found(), found()) as server:
        ask(server, BOB, times=2)
        assert sent(server) == [None, "Bearer abc", "Bearer abc"]
        assert sent(realm) == [BASIC]
        assert realm.asked[0].path == "/t?x=1&service=here&scope=repository%3Aapp%3Apull"


def test_token_that_has_expired_is_fetched_anew() -> None:
    with serving(token("abc"), token("def")) as realm, serving(bearer(realm.url), found(), bearer(realm.url), found()) as server:
        ask(server, None, times=2)
        assert sent(server) == [None, "Bearer abc", "Bearer abc", "Bearer def"] and sent(realm) == [None, None]


def test_wrong_password_is_said_and_not_shown() -> None:
    with serving(basic(), basic()) as server, pytest.raises(Denied, match="user bob") as caught:
        ask(server, BOB)
    assert "s3cr" not in str(caught.value)


def test_nobody_is_told_how_to_log_in() -> None:
    with serving(basic()) as server, pytest.raises(Denied, match="cocker_login"):
        ask(server, None)


def test_challenge_of_whom_we_were_redirected_to_gets_nothing() -> None:
    """CVE-2020-15157."""
    with serving() as realm, serving(bearer(realm.url), basic()) as other:
        with serving(Answer(307, headers={"Location": other.url + "/x"})) as server, pytest.raises(Denied):
            ask(server, BOB)
        assert sent(other) == [None] and realm.asked == []


@pytest.mark.parametrize("realm", ["http://r.example/token", "ftp://r.example/", "", "https://bob:x@r.example/", "/token"])
def test_realm_that_is_no_place_for_a_password(realm: str) -> None:
    class Untouched(Transport):
        def request(self, *_given: t.Any, **_more: t.Any) -> t.Any:
            raise RuntimeError("it was asked")

    authorizer = auth.Authorizer(Origin("https", "r.example", 443), Untouched(), BOB)
    with pytest.raises(Damaged):
        authorizer.answer(['Bearer realm="%s"' % realm], scope="s", used=None)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token":3}', b'{"token":"a\\r\\nb"}', b'{"token":""}', b'{"token":"%s"}' % (70000 * b"x")])
def test_answer_without_a_token(body: bytes) -> None:
    with serving(Answer(body=body)) as realm, serving(bearer(realm.url)) as server, pytest.raises(Damaged):
        ask(server, None)


@pytest.mark.parametrize("status", [401, 403, 404, 418])
def test_realm_that_refuses(status: int) -> None:
    with serving(Answer(status)) as realm, serving(bearer(realm.url)) as server, pytest.raises(CockerError):
        ask(server, BOB)

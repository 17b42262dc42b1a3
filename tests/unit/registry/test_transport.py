# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.client
import pathlib
import socket
import ssl
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.registry import transport
from ansible_collections.cocker.engine.tests.unit.registry.scripted import Answer, serving


@pytest.fixture
def pauses() -> t.List[float]:
    return []


@pytest.fixture
def http_client(pauses: t.List[float]) -> t.Iterator[transport.Transport]:
    client = transport.Transport(timeout=5, sleep=pauses.append)
    yield client
    client.close()


def test_answer_is_read_and_its_connection_kept(http_client: transport.Transport) -> None:
    with serving(Answer(body=b"one"), Answer(body=b"two")) as server:
        for text in (b"one", b"two"):
            with http_client.request("GET", server.url + "/x?a=b") as response:
                assert (response.status, response.read_document(3)) == (200, text)
        assert [each.path for each in server.asked] == ["/x?a=b", "/x?a=b"]
        assert sum(map(len, http_client._idle.values())) == 1


@pytest.mark.parametrize("first", [Answer(None), Answer(503), Answer(429), Answer(500, b"sorry")], ids=["cut", "503", "429", "500"])
def test_what_may_pass_is_tried_again(http_client: transport.Transport, pauses: t.List[float], first: Answer) -> None:
    with serving(first, first, Answer(body=b"well")) as server, http_client.request("GET", server.url) as response:
        assert response.read_document(9) == b"well"
    assert pauses == [0.25, 0.5]


def test_pause_is_as_long_as_the_server_asks_for_within_reason(http_client: transport.Transport, pauses: t.List[float]) -> None:
    again = [Answer(429, headers={"Retry-After": text}) for text in ("7", "999999", "tomorrow")]
    with serving(*again, Answer()) as server, http_client.request("GET", server.url):
        assert pauses == [7.0, 30.0, 1.0]


def test_what_stays_is_the_last_answer(http_client: transport.Transport, pauses: t.List[float]) -> None:
    with serving(*5 * [Answer(503)]) as server, http_client.request("GET", server.url) as response:
        assert response.status == 503 and len(pauses) == 4


def test_nobody_there(http_client: transport.Transport, pauses: t.List[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="Connection refused"):
        http_client.request("GET", "http://127.0.0.1:%d/v2/" % port)
    assert len(pauses) == 4


def test_connection_that_the_server_gave_up_is_made_anew(http_client: transport.Transport, pauses: t.List[float]) -> None:
    with serving(Answer(body=b"a"), Answer(None), Answer(body=b"b")) as server:
        for text in (b"a", b"b"):
            with http_client.request("GET", server.url) as response:
                assert response.read_document(9) == text
    assert pauses == []


def test_redirect_is_followed_without_the_password(http_client: transport.Transport) -> None:
    with serving(Answer(body=b"there")) as other, serving(Answer(307, headers={"Location": other.url + "/blob"})) as server:
        with http_client.request("GET", server.url, headers={"Authorization": "Basic x", "Range": "bytes=1-"}) as response:
            assert response.read_document(9) == b"there" and response.url == other.url + "/blob"
        assert server.asked[0].headers["Authorization"] == "Basic x"
        assert "Authorization" not in other.asked[0].headers and other.asked[0].headers["Range"] == "bytes=1-"


def test_redirect_to_the_same_origin_keeps_the_password(http_client: transport.Transport) -> None:
    with serving(Answer(302, headers={"Location": "/there"}), Answer()) as server:
        with http_client.request("GET", server.url + "/here", headers={"Authorization": "Basic x"}):
            pass
        assert [(each.path, each.headers["Authorization"]) for each in server.asked] == [("/here", "Basic x"), ("/there", "Basic x")]


@pytest.mark.parametrize("location", ["ftp://r.example/", "file:///etc/shadow", "http://user:word@r.example/", "http://a b/", "http://[x/", "http://h:x/"])
def test_redirect_to_no_web_address_is_refused(http_client: transport.Transport, location: str) -> None:
    with serving(Answer(302, headers={"Location": location})) as server, pytest.raises(Damaged):
        http_client.request("GET", server.url)


def test_redirects_end(http_client: transport.Transport) -> None:
    with serving(*9 * [Answer(302, headers={"Location": "/"})]) as server, pytest.raises(Damaged, match="more than 5 times"):
        http_client.request("GET", server.url)


def test_answer_to_a_post_is_not_followed(http_client: transport.Transport) -> None:
    with serving(Answer(307, headers={"Location": "http://r.example/"})) as server, http_client.request("POST", server.url, body=b"x") as response:
        assert response.status == 307


def test_document_that_is_too_large_is_refused(http_client: transport.Transport) -> None:
    with serving(Answer(body=b"12345")) as server, http_client.request("GET", server.url) as response, pytest.raises(Damaged, match="larger than 4"):
        response.read_document(4)


def test_body_that_is_cut_off_is_no_body(http_client: transport.Transport) -> None:
    with serving(Answer(body=b"12345", cut=3)) as server, http_client.request("GET", server.url) as response:
        with pytest.raises((http.client.HTTPException, OSError)):
            response.read_document(9)
    assert not any(http_client._idle.values())


def test_body_is_made_anew_for_each_attempt(http_client: transport.Transport) -> None:
    with serving(Answer(503), Answer(201)) as server:
        with http_client.request("PUT", server.url, headers={"Content-Length": "4"}, body=lambda: iter([b"ab", b"cd"])) as response:
            assert response.status == 201
        assert [each.body for each in server.asked] == [b"abcd", b"abcd"]


def test_server_that_dribbles_is_given_up(monkeypatch: pytest.MonkeyPatch, http_client: transport.Transport) -> None:
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(transport.time, "monotonic", lambda: float(next(clock)))
    with serving(Answer(body=b"x")) as server, http_client.request("GET", server.url) as response, pytest.raises(TimeoutError):
        response.read_document(9)


@pytest.mark.parametrize("error, again", [
    (ConnectionResetError(), True), (TimeoutError(), True), (http.client.IncompleteRead(b""), True), (socket.gaierror(), False),
    (ssl.SSLCertVerificationError(), False), (ssl.SSLEOFError(), True),
])
def test_what_is_worth_another_attempt(error: BaseException, again: bool) -> None:
    assert transport.may_pass(error) is again


def test_authority_that_is_none_names_the_option(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    for name in ("ca", "missing"):
        with pytest.raises(Invalid) as caught:
            transport.Transport(ca_path=str(tmp_path / name))
        assert caught.value.subject == "ca_path"


def test_plain_server_is_told_from_one_with_tls(http_client: transport.Transport) -> None:
    with serving() as server, pytest.raises(Unreachable, match="does not speak TLS.*plain_http"):
        http_client.request("GET", server.url.replace("http:", "https:"))

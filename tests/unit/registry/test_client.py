# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Remote
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Denied, NotFound, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.registry import blobs
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import Client, Fetched
from ansible_collections.cocker.engine.plugins.module_utils.registry.transport import Transport
from ansible_collections.cocker.engine.tests.unit.registry.scripted import Answer, Server, serving

CONTENT = b"0123456789"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


BLOB = Descriptor(OCI_LAYER_GZIP, sha256(CONTENT), len(CONTENT))


def client(server: Server) -> Client:
    return Client(Remote(server.host, "team/app"), Transport(timeout=5, sleep=lambda seconds: None), scheme="http")


def fetch(*script: Answer, blob: Descriptor = BLOB) -> t.Tuple[bytes, t.List[t.Optional[str]]]:
    with serving(*script) as server:
        content = b"".join(blobs.pieces(client(server), blob))
        return content, [each.headers.get("Range") for each in server.asked]


def part(start: int, content: bytes = CONTENT, cut: t.Optional[int] = None) -> Answer:
    return Answer(206, content[start:], {"Content-Range": "bytes %d-%d/%d" % (start, len(content) - 1, len(content))}, cut)


@pytest.mark.parametrize("script, ranges", [
    ([Answer(body=CONTENT)], [None]),
    ([Answer(body=CONTENT, cut=4), part(4)], [None, "bytes=4-"]),
    ([Answer(body=CONTENT, cut=4), part(4, cut=2), part(6)], [None, "bytes=4-", "bytes=6-"]),
    ([Answer(body=CONTENT, cut=4), Answer(body=CONTENT)], [None, "bytes=4-"]),
    ([Answer(None), Answer(503), Answer(body=CONTENT)], [None, None, None]),
    ([part(0, cut=each) for each in (1,)] + [part(at, cut=1) for at in range(1, 9)] + [part(9)], [None] + ["bytes=%d-" % at for at in range(1, 10)]),
], ids=["whole", "resumed", "twice", "from the start again", "in the end", "as long as it gets on"])
def test_blob_is_fetched(script: t.List[Answer], ranges: t.List[t.Optional[str]]) -> None:
    assert fetch(*script) == (CONTENT, ranges)


def test_empty_blob() -> None:
    assert fetch(Answer(), blob=Descriptor(OCI_LAYER_GZIP, sha256(b""), 0)) == (b"", [None])


@pytest.mark.parametrize("script", [
    [Answer(body=b"0123456780")], [Answer(body=CONTENT + b"x")], [Answer(body=CONTENT[:9])], [Answer()],
    [Answer(body=CONTENT, cut=4), part(3)], [Answer(body=CONTENT, cut=4), Answer(206, b"456789")],
], ids=["other", "longer", "shorter", "empty", "another part", "a part of what?"])
def test_other_content_is_damaged(script: t.List[Answer]) -> None:
    with pytest.raises(Damaged):
        fetch(*script)


@pytest.mark.parametrize("script, error", [([Answer(404)], NotFound), ([Answer(403)], Denied), (5 * [Answer(None)], Unreachable), ([Answer(418)], Unreachable)])
def test_blob_that_does_not_come(script: t.List[Answer], error: t.Type[CockerError]) -> None:
    with pytest.raises(error):
        fetch(*script)


RAW = b'{"schemaVersion": 2}'


@pytest.mark.parametrize("reference, said", [("latest", sha256(RAW)), ("latest", ""), ("latest", "nonsense"), (sha256(RAW), ""), (sha256(RAW), sha256(b"x"))])
def test_manifest_has_its_digest(reference: str, said: str) -> None:
    with serving(Answer(body=RAW, headers={"Content-Type": OCI_MANIFEST + "; x", "Docker-Content-Digest": said})) as server:
        assert client(server).manifest(reference) == Fetched(RAW, OCI_MANIFEST, sha256(RAW))
        assert server.asked[0].path == "/v2/team/app/manifests/" + reference


@pytest.mark.parametrize("reference, said", [("latest", sha256(b"x")), (sha256(b"x"), sha256(b"x")), (sha256(b"x"), "")])
def test_manifest_with_another_digest(reference: str, said: str) -> None:
    with serving(Answer(body=RAW, headers={"Docker-Content-Digest": said})) as server, pytest.raises(Damaged):
        client(server).manifest(reference)


def test_manifest_that_is_cut_off_is_asked_for_again() -> None:
    with serving(Answer(body=RAW, cut=3), Answer(body=RAW)) as server:
        assert client(server).manifest("latest").raw == RAW


@pytest.mark.parametrize("script, digest", [
    ([Answer(headers={"Docker-Content-Digest": sha256(b"x")})], sha256(b"x")),
    ([Answer(404)], None),
    ([Answer(), Answer(body=RAW)], sha256(RAW)),
    ([Answer(405), Answer(body=RAW)], sha256(RAW)),
])
def test_digest_of_a_tag(script: t.List[Answer], digest: t.Optional[str]) -> None:
    with serving(*script) as server:
        assert client(server).find_digest("latest") == digest


def test_registry_says_what_is_wrong() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"quota\\u001b[2J exceeded"}]}'
    with serving(Answer(403, body)) as server, pytest.raises(Denied, match=r"refuses it: quota\?\[2J exceeded \(log in"):
        client(server).manifest("latest")


def test_tags_of_several_pages() -> None:
    pages = [Answer(body=b'{"tags":["b","a"]}', headers={"Link": '</v2/team/app/tags/list?last=b&n=2>; rel="next"'}), Answer(body=b'{"tags":["c"]}')]
    with serving(*pages) as server:
        assert client(server).tags() == ["a", "b", "c"]
        assert server.asked[1].path == "/v2/team/app/tags/list?last=b&n=2"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags":3}', b'{"tags":[3]}'])
def test_tags_that_are_none(body: bytes) -> None:
    with serving(Answer(body=body)) as server, pytest.raises(Damaged):
        client(server).tags()


def session(place: str = "/upload/1?state=x") -> Answer:
    return Answer(202, headers={"Location": place})


@pytest.mark.parametrize("between", [
    [], [Answer(None), session("/upload/2?a=b")],
    [Answer(503), session("/upload/2?a=b")], [Answer(404), session("/upload/2?a=b")],
])
def test_blob_is_uploaded(between: t.List[Answer]) -> None:
    with serving(session("/upload/2?a=b"), *between, Answer(201)) as server:
        blobs.upload(client(server), BLOB, lambda: iter([CONTENT[:4], CONTENT[4:]]))
        last = server.asked[-1]
        assert (last.method, last.path, last.body) == ("PUT", "/upload/2?a=b&digest=" + BLOB.digest.replace(":", "%3A"), CONTENT)


@pytest.mark.parametrize("script, error", [([Answer(403)], Denied), ([session(), Answer(400)], Unreachable), (5 * [session(), Answer(503)], Unreachable)])
def test_upload_that_is_refused(script: t.List[Answer], error: t.Type[CockerError]) -> None:
    with serving(*script) as server, pytest.raises(error):
        blobs.upload(client(server), BLOB, lambda: iter([CONTENT]))


def test_blob_is_mounted_or_not() -> None:
    with serving(Answer(201), session("/upload/3"), Answer(204), Answer(404)) as server:
        assert [blobs.mount(client(server), BLOB.digest, "base") for _time in range(3)] == [True, False, False]
        assert [each.method for each in server.asked] == ["POST", "POST", "DELETE", "POST"]


@pytest.mark.parametrize("raw, said, error", [(RAW, "", None), (RAW, sha256(RAW), None), (RAW, sha256(b"x"), Damaged)])
def test_manifest_is_put(raw: bytes, said: str, error: t.Optional[t.Type[CockerError]]) -> None:
    with serving(Answer(201, headers={"Docker-Content-Digest": said})) as server:
        if error:
            with pytest.raises(error):
                client(server).put_manifest("latest", raw, OCI_MANIFEST)
        else:
            assert client(server).put_manifest("latest", raw, OCI_MANIFEST) == sha256(raw)

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution as d
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Invalid, NotFound, Unsupported

DIGEST = "sha256:" + 64 * "a"


@pytest.mark.parametrize("text, remote", [
    ("registry.example/app", d.Remote("registry.example", "app")),
    ("registry.example/library/debian:12", d.Remote("registry.example", "library/debian", "12")),
    ("localhost/a", d.Remote("localhost", "a")),
    ("localhost:5000/team/app_x-y.z:V1", d.Remote("localhost:5000", "team/app_x-y.z", "V1")),
    ("r.example/a@" + DIGEST, d.Remote("r.example", "a", None, DIGEST)),
    ("r.example:1/a:t@" + DIGEST, d.Remote("r.example:1", "a", "t", DIGEST)),
])
def test_reference_is_read(text: str, remote: d.Remote) -> None:
    assert d.parse_remote(text, "name") == remote
    assert str(remote) == text


@pytest.mark.parametrize("text", [
    "", "debian", "library/debian", "r.example", "r.example/", "r.example/A", "r.example/a//b", "r.example/../a", "r.example/a:", "r.example/a:b/c",
    "r.example/a:" + 129 * "x", "r.example/a@", "r.example/a@sha256:" + 63 * "a", "r.example/a@sha256:" + 64 * "A", "r.example/a@md5:" + 32 * "a",
    "user@r.example/a", "r.example/a b", "r.example/a\n", "-r.example/a", "r.example/" + 256 * "a", "r.example/a:1+2", "https://r.example/a",
])
def test_reference_that_is_none_names_the_option(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        d.parse_remote(text, "reference")
    assert caught.value.subject == "reference"


@pytest.mark.parametrize("value, is_one", [
    (DIGEST, True), ("sha512:" + 128 * "0", True), ("sha256:" + 62 * "a" + "/x", False), ("sha256:../../etc", False), (None, False), (7, False),
    ("sha256:" + 64 * "٠", False), (DIGEST + "\n", False), ("", False),
])
def test_digest_grammar(value: object, is_one: bool) -> None:
    assert d.is_digest(value) is is_one


def descriptor(media_type: str, **more: t.Any) -> t.Dict[str, t.Any]:
    return {"mediaType": media_type, "digest": DIGEST, "size": 3, **more}


def manifest(**more: t.Any) -> t.Dict[str, t.Any]:
    layers = [descriptor(d.OCI_LAYER_GZIP)]
    return {"schemaVersion": 2, "mediaType": d.OCI_MANIFEST, "config": descriptor(d.OCI_CONFIG), "layers": layers, **more}


def read(value: object, media_type: str = d.OCI_MANIFEST) -> t.Union[d.Manifest, d.Index]:
    return d.parse_manifest(json.dumps(value).encode(), media_type, "r.example/a")


def test_manifest_is_read_and_written() -> None:
    found = read(manifest())
    assert isinstance(found, d.Manifest)
    assert found.to_json() == manifest()


def test_manifest_without_a_type_is_what_it_was_sent_as() -> None:
    value = manifest()
    del value["mediaType"]
    assert isinstance(read(value), d.Manifest)


@pytest.mark.parametrize("value", [
    manifest(manifests=[]), manifest(mediaType=d.OCI_INDEX), manifest(layers={}), manifest(layers=[3]), manifest(config=None),
    manifest(layers=[descriptor(d.OCI_LAYER_GZIP, digest="sha256:x")]), manifest(layers=[descriptor(d.OCI_LAYER_GZIP, size=-1)]),
    manifest(layers=[descriptor(d.OCI_LAYER_GZIP, size=True)]), manifest(layers=[descriptor(d.OCI_LAYER_GZIP, size=1e3)]),
    manifest(layers=[descriptor(d.OCI_LAYER_GZIP, size=1 << 80)]), manifest(layers=600 * [descriptor(d.OCI_LAYER_GZIP)]),
    manifest(layers=[descriptor(d.OCI_LAYER_GZIP, digest=["x"])]), [], 3, "x", None,
])
def test_manifest_that_is_none_is_damaged(value: object) -> None:
    with pytest.raises(Damaged):
        read(value)


@pytest.mark.parametrize("value", [
    manifest(layers=[descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["https://elsewhere.example/l"])]),
    manifest(layers=[descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")]),
    manifest(layers=[descriptor("application/x-zip")]), manifest(config=descriptor("application/vnd.cncf.helm.config.v1+json")),
    manifest(schemaVersion=1), manifest(schemaVersion=None),
])
def test_manifest_of_something_else_is_refused(value: object) -> None:
    with pytest.raises(Unsupported):
        read(value)


@pytest.mark.parametrize("raw", [
    b"", b"{", b"\xff\xfe", b'{"schemaVersion":2,"schemaVersion":2}', b'{"a":NaN}', b"[" * 100000, b"{}" + b" " * d.LARGEST_DOCUMENT, b'{"a":1e999999}}',
])
def test_document_that_is_none_is_damaged(raw: bytes) -> None:
    with pytest.raises(Damaged):
        d.parse_document(raw, "r.example/a")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "platform", "os"]), inner, max_size=5)))
def test_whatever_is_sent_there_is_a_word_for_it(value: object) -> None:
    for media_type in (d.OCI_MANIFEST, d.OCI_INDEX, "text/plain"):
        try:
            read(value, media_type)
        except CockerError:
            pass


def index(*platforms: str) -> d.Index:
    entries = [{**descriptor(d.OCI_MANIFEST), "digest": "sha256:%064x" % place, "platform": dict(zip(("os", "architecture", "variant"), text.split("/")))}
               for place, text in enumerate(platforms)]
    found = read({"schemaVersion": 2, "mediaType": d.OCI_INDEX, "manifests": entries}, d.OCI_INDEX)
    assert isinstance(found, d.Index)
    return found


@pytest.mark.parametrize("platforms, wanted, chosen", [
    (("linux/amd64", "linux/arm64"), "linux/arm64", 1),
    (("linux/arm64/v8", "linux/amd64"), "linux/arm64", 0),
    (("linux/arm64", "linux/amd64"), "linux/arm64/v8", 0),
    (("linux/arm/v6", "linux/arm/v7"), "linux/arm/v7", 1),
    (("unknown/unknown", "linux/amd64", "linux/amd64"), "linux/amd64", 1),
])
def test_platform_is_chosen(platforms: t.Tuple[str, ...], wanted: str, chosen: int) -> None:
    assert index(*platforms).choose(d.parse_platform(wanted), "app").digest == "sha256:%064x" % chosen


def test_platform_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound, match=r"not there for linux/s390x \(platforms there: linux/amd64, linux/arm/v7\)"):
        index("linux/arm/v7", "linux/amd64", "unknown/unknown").choose(d.parse_platform("linux/s390x"), "app")


@pytest.mark.parametrize("text", ["", "linux", "linux/", "linux/a/b/c", "Linux/AMD64", "linux/../x"])
def test_platform_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        d.parse_platform(text)


@pytest.mark.parametrize("machine, platform", [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64/v8"), ("mips", "linux/mips")])
def test_platform_of_the_host(machine: str, platform: str) -> None:
    assert str(d.platform_of(machine)) == platform

# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of ssh repositories, and what lies where in one."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import repository
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import OCI_MANIFEST, Descriptor
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(("text", "means", "shown"), [
    ("images@store", Address("store", "images"), None),
    ("store", Address("store"), None),
    ("images@store.example:2222/srv//images/", Address("store.example", "images", 2222, "/srv/images"), "images@store.example:2222/srv/images"),
    ("ssh://images@store/srv", Address("store", "images", None, "/srv"), "images@store/srv"),
    ("images@store:/srv", Address("store", "images", None, "/srv"), "images@store/srv"),
    ("store/~/sub/dir", Address("store", "", None, "sub/dir"), None),
    ("store/~", Address("store"), "store"),
    ("store/", Address("store", path="/"), None),
    ("root@[::1]:22/srv", Address("::1", "root", 22, "/srv"), None),
])
def test_address(text: str, means: Address, shown: t.Optional[str]) -> None:
    found = repository.parse_address(text, "repository")
    assert found == means and str(found) == (shown or text)
    assert repository.parse_address(str(found), "repository") == found


@pytest.mark.parametrize("text", [
    "", "-oProxyCommand=x", "a@-b", "-l@store", "a b@store", "store:99999", "store:22x", "store/../etc", "sto re", "store/a\nb",
    "http://store", "a@b@c", "::1", "store:srv",
])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Invalid, match="repository"):
        repository.parse_address(text, "repository")


def test_a_key_is_that_of_a_pub_file() -> None:
    assert repository.host_key("ssh-ed25519 AAAAC3Nz root@store\n", "x") == "ssh-ed25519 AAAAC3Nz"
    for bad in ("", "AAAAC3Nz", "ssh-ed25519", "ssh-ed25519 A\nssh-rsa B", "@cert-authority ssh-rsa AAAA"):
        with pytest.raises(Invalid):
            repository.host_key(bad, "x")


@pytest.mark.parametrize(("ref", "path"), [
    (ImageRef("app", "1"), "images/app/1"), (ImageRef("app"), "images/app/_"), (ImageRef("a/b", "1"), "images/a%2Fb/1"),
    (ImageRef("blobs"), "images/blobs/_"),
])
def test_where_an_image_lies(ref: ImageRef, path: str) -> None:
    assert repository.directory(ref) == path
    _images, name, version = path.split("/")
    assert repository.find_ref(name, version) == ref


@pytest.mark.parametrize(("name", "version"), [("a%0Ab", "1"), ("..", "1"), ("a", ".tmp"), ("a", "%2E%2E"), ("a%2f", "1"), ("", "1")])
def test_what_no_image_is_called(name: str, version: str) -> None:
    assert repository.find_ref(name, version) is None


@pytest.mark.parametrize(("file", "ref"), [
    ("calvin=rhel:1.0.cockerimage", ImageRef("calvin=rhel", "1.0")), ("app.cockerimage", ImageRef("app")), ("app:_.cockerimage", ImageRef("app")),
    ("h%3A5000%2Fapp:1.cockerimage", ImageRef("h:5000/app", "1")), ("notes.txt", None), (".cockerimage", None), ("a b.cockerimage", None),
])
def test_what_a_single_file_is_called(file: str, ref: t.Optional[ImageRef]) -> None:
    assert repository.find_file_ref(file) == ref


def test_only_sha256_becomes_a_path() -> None:
    assert repository.blob(DIGEST) == "blobs/sha256/" + "a" * 64
    for bad in ("sha512:" + "a" * 128, "sha256:../../x", "sha256:" + "A" * 64):
        with pytest.raises(Damaged):
            repository.blob(bad)


def test_index_is_read_as_it_is_written() -> None:
    manifest = Descriptor(OCI_MANIFEST, DIGEST, 7)
    raw = repository.index(ImageRef("app", "1"), manifest)
    assert repository.parse_index(raw, "x") == manifest and raw == repository.index(ImageRef("app", "1"), manifest)
    for bad in (b"", b"[]", b"{}", raw.replace(b'"manifests":[', b'"manifests":[{},'), b'{"schemaVersion":2,"manifests":[]}'):
        with pytest.raises((Damaged, Unsupported)):
            repository.parse_index(bad, "x")


def test_sums_and_a_sum() -> None:
    assert repository.sums(DIGEST, [DIGEST, DIGEST]) == b"%s  index.json\n%s  ../../../blobs/sha256/%s\n" % ((b"a" * 64,) * 3)
    assert repository.parse_sum(b"a" * 64 + b"  file\n") == DIGEST and repository.parse_sum(b"a" * 64) == DIGEST
    assert repository.parse_sum(b"no digest") == ""

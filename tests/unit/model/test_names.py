# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


@pytest.mark.parametrize("text, name, version", [
    ("debian", "debian", None),
    ("debian:12", "debian", "12"),
    ("test:_", "test", "_"),
    ("calvin=rhel-7.4-x86_64:1.0.0", "calvin=rhel-7.4-x86_64", "1.0.0"),
    ("registry.example/library/debian:12", "registry.example/library/debian", "12"),
    ("localhost:5000/app", "localhost:5000/app", None),
    ("localhost:5000/app:1.0-rc1", "localhost:5000/app", "1.0-rc1"),
])
def test_reference_is_read(text: str, name: str, version: str) -> None:
    ref = names.parse_image(text)
    assert ref == (name, version)
    assert str(ref) == text


@pytest.mark.parametrize("text", [
    "", ":", ":1.0", "a:", "a:b:c", "a/../b", "../a", "/a", "a/", "a//b", ".a", "a/.b", "a b", "a;b", "a,b", "a\n", "a\0b", "ä",
    "a:port/b", "a:0/b", "a:65536/b", "a/b:1/c", "a:.1", "a:1 ", "a:-1", "a@sha256:" + 64 * "0", "a:" + 129 * "1",
    201 * "a", "a:١",
])
def test_reference_that_is_none_names_the_option(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        names.parse_image(text, "images")
    assert caught.value.subject == "images"


@pytest.mark.parametrize("name", ["web", "calvin=sshd", "a.b_c+d-e", "9", 64 * "a"])
def test_object_name_is_accepted_as_it_is(name: str) -> None:
    assert names.object_name(name, "name") == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "_a", "=a", "a b", "a\tb", "a\n", "a\0", "ä", 65 * "a", "a:b", "a,b", "$x"])
def test_object_name_that_is_none_names_the_option(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        names.object_name(name, "container")
    assert caught.value.subject == "container"


@pytest.mark.parametrize("name, file_name", [
    ("web", "web"), ("calvin=G6", "calvin=G6"), ("_", "_"), ("registry.example/library/debian", "registry.example%2Flibrary%2Fdebian"),
    ("localhost:5000/a", "localhost%3A5000%2Fa"), (".hidden", "%2Ehidden"), ("..", "%2E."), ("100%", "100%25"),
])
def test_name_on_disk(name: str, file_name: str) -> None:
    assert names.encode(name) == file_name
    assert names.decode(file_name) == name


@given(st.text(min_size=1, max_size=40))
def test_every_name_comes_back_from_a_plain_file_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    encoded = names.encode(name)
    assert encoded not in ("", ".", "..") and "/" not in encoded and not encoded.startswith(".") and "\0" not in encoded
    assert names.decode(encoded) == name


@pytest.mark.parametrize("file_name", ["", ".tmp-1", "%", "a%2", "a%2f", "a%zz", "%41", "a b", "a%FF%FEx%2"])
def test_file_name_that_is_not_ours_has_no_name(file_name: str) -> None:
    assert names.decode(file_name) is None


@given(st.text(max_size=60))
def test_no_text_gets_past_the_parser_with_a_character_that_a_path_minds(text: str) -> None:
    try:
        ref = names.parse_image(text)
    except Invalid:
        return
    assert not set(text) & set("\0\n \\%~$*?") and ".." not in ref.name.split("/") and str(ref) == text


@pytest.mark.parametrize("container, digits", [("test", "098F6BCD46"), ("calvin=G6", "2513F44178"), ("G6", "1B2D5BAC04")])
def test_kernel_names_come_from_the_md5_of_the_container(container: str, digits: str) -> None:
    assert names.netns_name(container) == "nns" + digits
    assert names.link_name(container) == "eth" + digits
    assert names.link_name(container, 12) == "eth" + digits[:9] + "n12"


def test_link_names_fit_the_kernel() -> None:
    assert len(names.link_name("web", 99)) == 15
    with pytest.raises(Invalid):
        names.link_name("web", 100)


def test_a_link_of_one_network_has_never_the_name_of_another() -> None:
    containers = {names.short_hash(name)[-1]: name for name in map("web{}".format, range(100))}     # by the hash's last digit
    assert len(containers) == 16
    for container in containers.values():
        assert len({names.link_name(container, index) for index in range(100)}) == 100

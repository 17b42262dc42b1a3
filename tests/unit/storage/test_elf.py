# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import sys

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import elf, hostfiles, hostimage

PYTHON = os.path.realpath(sys.executable)


def test_interpreter_names_its_loader_and_libraries() -> None:
    found = elf.read(PYTHON)
    assert found is not None and "ld-" in found.interpreter and any(name.startswith("libc.") for name in found.needed)


def test_all_libraries_are_found_where_the_loader_finds_them() -> None:
    libraries, missing = elf.Libraries().closure(PYTHON)
    assert missing == []
    with open("/proc/self/maps") as stream:
        mapped = {line.split()[-1] for line in stream if "libc.so" in line or "libc-" in line}
    assert mapped <= {os.path.realpath(path) for path in libraries}


def test_libraries_are_found_without_a_cache() -> None:
    assert elf.Libraries(cache="/nonexistent").closure("/bin/sh")[1] == []


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\2\1" + b"\xff" * 300])
def test_what_is_no_program_has_no_needs(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert elf.read(str(tmp_path / "x")) is None


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_damage_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, changes: object) -> None:
    path = tmp_path_factory.mktemp("elf") / "x"
    with open("/bin/sh", "rb") as stream:
        content = bytearray(stream.read())
    for at, byte in changes:  # type: ignore[attr-defined]
        content[at] = byte
    path.write_bytes(bytes(content))
    elf.read(str(path))
    path.unlink()


def test_links_on_the_way_stay_links(tmp_path: pathlib.Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/bin/real").write_text("x")
    (tmp_path / "usr/bin/sh").symlink_to("%s/bin/real" % tmp_path)
    files = hostfiles.Files()
    assert files.add("%s/bin/sh" % tmp_path) == "%s/usr/bin/real" % tmp_path
    assert files.links == {"%s/bin" % tmp_path: "usr/bin", "%s/usr/bin/sh" % tmp_path: "%s/bin/real" % tmp_path}
    assert list(files.files) == ["%s/usr/bin/real" % tmp_path]


def test_links_in_a_circle_and_missing_files_are_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert hostfiles.Files().add(str(tmp_path / "a")) is None
    assert hostfiles.Files().add(str(tmp_path / "c")) is None


def test_same_host_same_digest() -> None:
    assert hostimage.digest(hostfiles.gather(["ls"])) == hostimage.digest(hostfiles.gather(["ls"])) != hostimage.digest(hostfiles.gather(["cat"]))


def test_missing_program_is_named() -> None:
    with pytest.raises(NotFound, match="no-such-program"):
        hostfiles.gather(["no-such-program"])

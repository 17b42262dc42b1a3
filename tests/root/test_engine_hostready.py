# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is made ready, in directories that play its own; the command is the real one."""
from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostlook, hostready
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.hostlook import Places
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CommandWish, ReadyWish
from ansible_collections.cocker.engine.tests.root import clilab

pytestmark = pytest.mark.root


class Bare(t.NamedTuple):
    """A host that has nothing of it yet."""

    top: pathlib.Path
    places: Places
    archive: bytes

    def wish(self, *, archive: t.Optional[bytes] = None, **more: t.Any) -> ReadyWish:
        command = CommandWish(str(self.top / "bin/cocker"), str(self.top / "bin/cocker-runtime"), sys.executable,
                              hashlib.sha256(self.archive).hexdigest(), archive)
        return ReadyWish(**{"modules": ("dummy_module",), "forwards": True, "command": command, **more})

    def ensure(self, *, dry_run: bool = False, **wish: t.Any) -> Outcome:
        return hostready.ensure(open_host(str(self.top / "home"), dry_run=dry_run), self.wish(**wish), self.places)

    def files(self) -> t.List[str]:
        return sorted(str(path.relative_to(self.top)) for folder in ("etc", "bin") for path in (self.top / folder).rglob("*"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return pathlib.Path(clilab.packed(tmp_path_factory.mktemp("cli"))).read_bytes()


@pytest.fixture
def bare(tmp_path: pathlib.Path, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Bare:
    known = tmp_path / "lib" / platform.release()
    known.mkdir(parents=True)
    (known / "modules.dep").write_text("kernel/dummy_module.ko:\n", encoding="utf-8")
    (tmp_path / "ip_forward").write_text("0\n", encoding="utf-8")
    monkeypatch.setattr(hostlook, "_may_load", lambda: True)
    places = Places(
        modules=str(tmp_path / "etc/modules.conf"), sysctl=str(tmp_path / "etc/sysctl.conf"), service=str(tmp_path / "etc/cocker.service"),
        forwarding=str(tmp_path / "ip_forward"), known_modules=str(tmp_path / "lib"), loaded_modules=str(tmp_path / "sys"),
        booted=str(tmp_path / "none"))
    return Bare(tmp_path, places, archive)


def test_check_mode_foresees_what_the_real_run_does_and_touches_nothing(bare: Bare) -> None:
    foreseen = bare.ensure(dry_run=True, modules=())
    assert foreseen.changed and bare.files() == [] and (bare.top / "ip_forward").read_text(encoding="utf-8") == "0\n"
    assert bare.ensure(archive=bare.archive, modules=()).actions == foreseen.actions


def test_the_command_runs_compiled_and_the_second_time_nothing_is_done(bare: Bare) -> None:
    bare.ensure(archive=bare.archive)
    environ = {"COCKER_HOME": str(bare.top / "home"), "PATH": os.environ["PATH"]}
    assert subprocess.run([str(bare.top / "bin/cocker"), "--version"], env=environ, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    assert any(name.startswith("cli-") for name in os.listdir(bare.top / "home/engine"))
    assert bare.files() == ["bin/cocker", "bin/cocker-runtime", "etc/modules.conf", "etc/sysctl.conf"]
    again = bare.ensure()
    assert (again.changed, again.plan["action"], "needed" in again.result) == (False, "none", False)


def test_a_module_that_the_kernel_refuses_is_no_change(bare: Bare) -> None:
    first = bare.ensure(archive=bare.archive)
    assert hostready.LOAD not in {action["action"] for action in first.actions} and "dummy_module" not in first.diff["after"]
    assert not bare.ensure().changed


def test_a_host_that_lacks_something_is_left_alone_where_that_is_wanted(bare: Bare) -> None:
    found = bare.ensure(archive=bare.archive, commands=("no-such-command",), stops=True)
    assert (found.changed, found.result["is_stopped"], found.result["host"]["MissingCommands"]) == (False, True, ["no-such-command"])
    assert bare.files() == []


def test_another_command_than_the_one_that_is_there_has_to_come_along(bare: Bare) -> None:
    found = bare.ensure()
    assert (found.changed, found.result["needed"], bare.files()) == (False, sys.executable, [])


def test_half_of_a_command_and_a_file_in_its_links_place_are_mended(bare: Bare) -> None:
    bare.ensure(archive=bare.archive)
    os.truncate(bare.top / "bin/cocker", 1000)
    (bare.top / "bin/cocker-runtime").unlink()
    (bare.top / "bin/cocker-runtime").write_text("", encoding="utf-8")
    mended = bare.ensure(archive=bare.archive)
    assert [action["action"] for action in mended.actions] == [hostready.INSTALL, hostready.LINK]
    assert os.readlink(bare.top / "bin/cocker-runtime") == str(bare.top / "bin/cocker")


def test_a_command_that_does_not_run_is_told(bare: Bare) -> None:
    broken = bare._replace(archive=b"#!/bin/sh\necho it is broken >&2\nexit 3\n")
    with pytest.raises(CockerError, match="it is broken"):
        broken.ensure(archive=broken.archive, modules=())

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import types
import zipfile

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import begin, boot, catalog, copying, main
from ansible_collections.cocker.engine.plugins.module_utils.model.version import VERSION

ROOT = pathlib.Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins/module_utils"
FOLDER = copying.PACKAGE.replace(".", "/")
# What makes a copy of an archive, and whatever it has to have in it.
TOOLS = {FOLDER + name: (UTILS / name).read_text() for name in (copying.UNFOLDING, copying.LINKING, copying.WARM, "cli/begin.py")}


def pack(target: pathlib.Path) -> str:
    return subprocess.run([sys.executable, str(ROOT / "roles/host/files/pyz.py"), str(ROOT), str(target)],
                          check=True, capture_output=True, text=True).stdout


def test_the_same_sources_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    assert pack(tmp_path / "a") == "changed\n"
    pack(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pack(tmp_path / "a") == ""


def test_its_digest_is_told_without_writing_it(tmp_path: pathlib.Path) -> None:
    pack(tmp_path / "a")
    assert pack(pathlib.Path("-")) == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest() + "\n"
    assert not pathlib.Path("-").exists()


def test_the_archive_knows_its_digest_and_holds_every_layer(tmp_path: pathlib.Path) -> None:
    pack(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a") as archive:
        assert re.search(rb'DIGEST = "[0-9a-f]{16}"', archive.read("__main__.py"))
        names = [name for name in archive.namelist() if not name.endswith("__init__.py")]
    layers = {path.name for path in (ROOT / "plugins/module_utils").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name.split("/")[5] for name in names if name != "__main__.py"} == layers


def test_it_runs_where_nothing_can_be_kept(tmp_path: pathlib.Path) -> None:
    pack(tmp_path / "cocker")
    done = subprocess.run([sys.executable, "-IS", str(tmp_path / "cocker"), "--version"], env={"COCKER_HOME": str(tmp_path / "none")},
                          capture_output=True, text=True, check=True)
    assert done.stdout == "cocker %s\n" % VERSION


def test_packages_of_a_virtual_environment_are_found(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "lib" / ("python%d.%d" % sys.version_info[:2]) / "site-packages"
    own.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert str(own) not in main.packages()
    (tmp_path / "pyvenv.cfg").touch()
    assert main.packages()[0] == str(own)


def test_no_copy_without_a_private_directory(tmp_path: pathlib.Path) -> None:
    assert boot.unpacked("archive", str(tmp_path / "none")) == ""


def test_a_shell_is_its_head(tmp_path: pathlib.Path) -> None:
    """The words of the command line are left alone, and an interpreter may have any name."""
    python = tmp_path / "the host's python"
    python.symlink_to(os.path.realpath(sys.executable))
    subprocess.run([sys.executable, str(ROOT / "roles/host/files/pyz.py"), str(ROOT), str(tmp_path / "cocker"), str(python)], check=True)
    done = subprocess.run([str(tmp_path / "cocker"), "no such \"$HOME\" *"], env={"COCKER_HOME": str(tmp_path / "none")},
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "'no such \"$HOME\" *'" in done.stderr


def test_a_copy_says_where_its_modules_are(tmp_path: pathlib.Path) -> None:
    texts = {"__main__.py": "value = 1", "ansible_collections/__init__.py": "", "ansible_collections/sample.py": "value = 2\n", **TOOLS}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    copying.complete(str(tmp_path), begin.LOWER)
    finder = begin.Packed(str(tmp_path), begin.LOWER)
    assert finder.find_spec("json") is None and finder.find_spec("ansible_collections.none") is None
    package, spec = finder.find_spec("ansible_collections"), finder.find_spec("ansible_collections.sample")
    module = types.ModuleType("ansible_collections.sample")
    finder.exec_module(module)
    assert package.submodule_search_locations == [str(tmp_path / "ansible_collections")] and spec.submodule_search_locations is None
    assert (module.value, module.__file__) == (2, str(tmp_path / "ansible_collections/sample.py"))


def test_the_version_is_that_of_the_collection() -> None:
    assert re.search(r"^version: (.*)$", (ROOT / "galaxy.yml").read_text(), re.M).group(1) == VERSION  # type: ignore[union-attr]


def test_every_command_can_be_loaded() -> None:
    for name, command in catalog.COMMANDS.items():
        assert len(command.load(name)) == 2


def test_a_copy_has_its_name_only_when_it_is_on_the_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut right after the first call would leave empty files under it, and with them nothing starts at boot."""
    target, seen, real = tmp_path / "copy", [], copying.sync
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("__main__.py", "pass\n")
        for name, text in TOOLS.items():
            archive.writestr(name, text)

    def looked(folder: str) -> None:
        seen.append((sorted(os.listdir(folder)), target.exists()))
        real(folder)

    monkeypatch.setattr(copying, "sync", looked)
    copying.install(str(tmp_path / "archive"), str(target))
    assert seen == [(["__main__.py", "ansible_collections", begin.FIRST], False)] and target.exists()


def test_what_a_call_asks_for_first_is_made_then(tmp_path: pathlib.Path) -> None:
    for name, text in TOOLS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    finders = [begin.Packed(str(tmp_path), file) for file in (begin.LOWER, begin.UPPER)]
    module = copying.PACKAGE + "oci.warm"
    assert [finder.find_spec(module) is not None for finder in finders] == [True, False]
    assert sorted(os.listdir(tmp_path)) == ["ansible_collections", begin.LOWER, begin.UPPER]
    assert all(os.stat(tmp_path / file).st_mode & 0o077 == 0 for file in (begin.LOWER, begin.UPPER))


def test_what_cannot_be_kept_is_not_missed(tmp_path: pathlib.Path) -> None:
    """The sources are found instead."""
    assert begin.Packed(str(tmp_path / "none"), begin.LOWER).find_spec("ansible_collections") is None

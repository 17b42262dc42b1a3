# SPDX-License-Identifier: GPL-3.0-or-later
"""Code that an earlier task compiled, used by a later one, in payloads as Ansible makes them."""
from __future__ import annotations

import marshal
import os
import pathlib
import subprocess
import sys
import typing as t
import zipfile

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import compiled

FOLDER = compiled.PACKAGE.replace(".", "/")
SOURCE = pathlib.Path(compiled.__file__).read_text(encoding="utf-8")
# What was compiled, and what a file of the collection said; ansible's part of the payload is not there, so cocker_home is in the environment.
TASK = """
import sys, types, zipimport
sys.path.insert(0, %r)
sys.modules["ansible"] = sys.modules["ansible.module_utils"] = types.ModuleType("ansible.module_utils")
sys.modules["ansible.module_utils"].basic = types.SimpleNamespace(_ANSIBLE_ARGS=None)
from ansible_collections.cocker.engine.plugins.module_utils.edge import compiled
compiled.use()
compiled.use()
from ansible_collections.cocker.engine.plugins.module_utils.model import words
print(words.SAID, len(compiled._finders[0]._compiled), words.__file__.endswith("payload.zip/%smodel/words.py"))
compiled.save()
"""


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / "engine").mkdir(mode=0o700)
    return folder


def payload(tmp_path: pathlib.Path, words: str) -> pathlib.Path:
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as archive:
        parts = FOLDER.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            archive.writestr("/".join([*parts[:depth], "__init__.py"]), "")
        for package in ("edge", "model"):
            archive.writestr("%s%s/__init__.py" % (FOLDER, package), "")
        archive.writestr(FOLDER + "edge/compiled.py", SOURCE)
        archive.writestr(FOLDER + "model/words.py", words)
    return path


def run(archive: pathlib.Path, home: pathlib.Path) -> t.List[str]:
    code = TASK % (str(archive), FOLDER)
    done = subprocess.run([sys.executable, "-c", code], env={"COCKER_HOME": str(home)}, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()


def stored(home: pathlib.Path) -> pathlib.Path:
    return home / "engine" / ("modules-%s" % sys.implementation.cache_tag)


def test_what_one_task_compiled_the_next_one_uses(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    archive = payload(tmp_path, "SAID = 'hello'")
    assert run(archive, home) == ["hello", "1", "True"]
    written = stored(home).stat()
    assert run(archive, home) == ["hello", "0", "True"]
    assert stored(home).stat() == written or stored(home).stat().st_mtime_ns == written.st_mtime_ns


def test_another_source_is_compiled_anew(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    run(payload(tmp_path, "SAID = 'hello'"), home)
    assert run(payload(tmp_path, "SAID = 'world'"), home) == ["world", "1", "True"]
    assert run(payload(tmp_path, "SAID = 'world'"), home) == ["world", "0", "True"]


@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(path.read_bytes()[:-10]),
    lambda path: path.write_bytes(b""),
    lambda path: path.chmod(0o666),
    lambda path: path.parent.chmod(0o777),
    lambda path: path.parent.parent.chmod(0o770),
    lambda path: (path.rename(str(path) + ".other"), path.symlink_to(str(path) + ".other")),
], ids=["cut short", "empty", "writable for others", "directory writable for others", "home writable for the group", "a link"])
def test_what_others_could_have_written_and_what_is_damaged_is_not_run(
    tmp_path: pathlib.Path, home: pathlib.Path, spoil: t.Callable[[pathlib.Path], object]
) -> None:
    archive = payload(tmp_path, "SAID = 'hello'")
    run(archive, home)
    spoil(stored(home))
    assert run(archive, home)[:2] == ["hello", "1"]


def test_code_for_another_interpreter_is_not_used(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(stored(home))
    compiled.store(path, {"a": ((1, 2), marshal.dumps(compile("1", "a", "exec")))})
    assert list(compiled.load(path)) == ["a"]
    monkeypatch.setattr(sys, "version", "another")
    assert compiled.load(path) == {}


def test_without_a_store_nothing_is_written(tmp_path: pathlib.Path) -> None:
    run(payload(tmp_path, "SAID = 'hello'"), tmp_path / "nowhere")
    assert os.listdir(tmp_path) == ["payload.zip"]


def test_outside_of_a_payload_the_import_stays_as_it_is() -> None:
    before = list(sys.meta_path)
    compiled.use()
    assert sys.meta_path == before

# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that the host keeps, run by the stub: what is trusted, what is not, and what the parameters may hold."""
from __future__ import annotations

import json
import marshal
import os
import pathlib
import subprocess
import sys
import typing as t
import zipfile

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible_collections.cocker.engine.plugins.module_utils.edge import compiled, kept
from ansible_collections.cocker.engine.plugins.plugin_utils import quick, sources

STUB = pathlib.Path(quick.__file__).parent / "stub" / "cocker_stub.py"
MODULE, KEY = "cocker.engine.cocker_sample", "0123"
FILES = {
    "ansible/__init__.py": "",
    "ansible/module_utils/__init__.py": "",
    "ansible/module_utils/basic.py": "_ANSIBLE_ARGS = None\n",
    "ansible_collections/__init__.py": "",
    "sitecustomize.py": "this is no Python",
    "ansible_collections/cocker/engine/plugins/modules/cocker_sample.py": (
        "from __future__ import annotations\nfrom ansible.module_utils import basic\n"
        "if __name__ == '__main__':\n    print(basic._ANSIBLE_ARGS.decode())\n"),
}
AWKWARD = "it's \"quoted\" ''' \\ \n \u20ac <<x>> \U0001f600"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "home"
    for path in (folder, folder / "engine"):
        path.mkdir(mode=0o700)
    return folder


@pytest.fixture
def file(home: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """As the first task leaves it."""
    archive = tmp_path / "payload.zip"
    with zipfile.ZipFile(archive, "w") as payload:
        for name, text in FILES.items():
            payload.writestr(name, text)
    monkeypatch.setattr(compiled, "archive_of_payload", lambda: str(archive))
    kept.keep(kept.Wish(KEY, MODULE), str(home))
    [path] = (home / "engine" / "tasks").iterdir()
    return path


def ask(home: pathlib.Path, **more: t.Any) -> t.Any:
    """The stub as Ansible fills it in, through standard input."""
    parameters = json.dumps({"_cocker_key": KEY, "_cocker_module": MODULE, "cocker_home": str(home), **more}).encode()
    text = STUB.read_bytes().replace(b'"<<INCLUDE_ANSIBLE_MODULE_COMPLEX_ARGS>>"', repr(parameters).encode())
    text = text.replace(b"<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>", parameters)
    done = subprocess.run([sys.executable, "-I"], input=text, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


MISSING = {quick.MISSING: True}


def test_the_kept_module_gets_the_parameters_as_they_are(home: pathlib.Path, file: pathlib.Path) -> None:
    said = ask(home, text=AWKWARD)["ANSIBLE_MODULE_ARGS"]
    assert said == {"cocker_home": str(home), "text": AWKWARD, "_ansible_module_name": MODULE}
    assert file.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize(("arguments", "plain"), [
    ({"command": "cat <<EOF", "env": {"a": AWKWARD}}, True),
    ({"command": ["<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"]}, False),
    ({"env": {"<<SELINUX_SPECIAL_FILESYSTEMS>>": 1}}, False),
    ({"log": "syslog.LOG_USER"}, False),
])
def test_parameters_that_ansible_would_rewrite_go_with_the_whole_module(arguments: t.Dict[str, t.Any], plain: bool) -> None:
    assert quick.is_plain(arguments) is plain


def test_a_host_without_it_says_so(home: pathlib.Path) -> None:
    assert ask(home) == MISSING


def test_another_version_is_another_file(home: pathlib.Path, file: pathlib.Path) -> None:
    assert ask(home, _cocker_key="9999") == MISSING


@pytest.mark.parametrize("harm", [
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), id="cut short"),
    pytest.param(lambda path: path.write_bytes(b""), id="empty"),
    pytest.param(lambda path: path.write_bytes(b"\0" * 4096), id="zeros"),
    pytest.param(lambda path: path.chmod(0o622), id="others can write it"),
    pytest.param(lambda path: path.parent.chmod(0o777), id="others can write its directory"),
    pytest.param(lambda path: path.parents[2].chmod(0o770), id="others can write the store"),
    pytest.param(lambda path: os.chown(path, 12345, -1) if os.geteuid() == 0 else path.unlink(), id="somebody else's"),
    pytest.param(lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), id="a link"),
])
def test_what_others_could_have_written_is_not_run(home: pathlib.Path, file: pathlib.Path, harm: t.Callable[[pathlib.Path], t.Any]) -> None:
    harm(file)
    assert ask(home) == MISSING


def test_another_interpreter_does_not_run_it(home: pathlib.Path, file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.unlink()
    monkeypatch.setattr(sys, "version", "0.0")
    kept.keep(kept.Wish(KEY, MODULE), str(home))
    monkeypatch.undo()
    assert file.exists() and ask(home) == MISSING


@pytest.mark.parametrize(("harm", "compiles"), [
    pytest.param(lambda path: None, {"cocker_other"}, id="what was compiled for another module is not compiled again"),
    pytest.param(lambda path: path.chmod(0o622), {"cocker_other", "basic", "__init__"}, id="what others could have written is"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), {"cocker_other", "basic", "__init__"}, id="what is cut short is"),
])
def test_modules_share_what_they_are_made_of(
    home: pathlib.Path, file: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, harm: t.Callable[[pathlib.Path], t.Any],
    compiles: t.Set[str],
) -> None:
    archive = tmp_path / "other.zip"
    with zipfile.ZipFile(archive, "w") as payload:
        for name, text in FILES.items():
            payload.writestr(name.replace("cocker_sample", "cocker_other"), text)
    monkeypatch.setattr(compiled, "archive_of_payload", lambda: str(archive))
    seen = []
    monkeypatch.setattr(kept, "compile", lambda source, path, *more, **named: seen.append(path) or compile(source, path, *more, **named), raising=False)
    harm(file)
    kept.keep(kept.Wish(KEY, "cocker.engine.cocker_other"), str(home))
    assert {pathlib.Path(path).stem for path in seen if path.startswith("/")} == compiles
    assert ask(home, _cocker_module="cocker.engine.cocker_other")["ANSIBLE_MODULE_ARGS"]["cocker_home"] == str(home)


def test_a_source_that_changed_is_compiled(home: pathlib.Path, file: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "newer.zip"
    with zipfile.ZipFile(archive, "w") as payload:
        for name, text in FILES.items():
            payload.writestr(name, text.replace("print(", "print(' ' + "))
    monkeypatch.setattr(compiled, "archive_of_payload", lambda: str(archive))
    kept.keep(kept.Wish("4567", MODULE), str(home))
    old, new = (marshal.loads(compiled.read(str(path)) or b"")[2] for path in sorted(file.parent.iterdir()))
    module = "ansible_collections.cocker.engine.plugins.modules.cocker_sample"
    assert {name for name in old if old[name] != new[name]} == {module}


def test_only_the_newest_versions_are_kept(home: pathlib.Path, file: pathlib.Path) -> None:
    for number in range(6):
        kept.keep(kept.Wish("k%d" % number, MODULE), str(home))
        os.utime(home / "engine" / "tasks" / ("%s-k%d-%s" % (MODULE, number, sys.implementation.cache_tag)), (number, number))
    assert len(list(file.parent.iterdir())) == 3


def test_nothing_is_kept_where_others_can_write(home: pathlib.Path, file: pathlib.Path) -> None:
    file.unlink()
    home.chmod(0o777)
    kept.keep(kept.Wish(KEY, MODULE), str(home))
    assert not file.exists()


def test_the_key_follows_from_every_source(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number, text in enumerate(("one", "two")):
        top = tmp_path / str(number)
        for folder in ("module_utils/engine", "modules"):
            (top / "plugins" / folder).mkdir(parents=True)
        (top / "plugins/modules/cocker_sample.py").write_text("same")
        (top / "plugins/module_utils/engine/x.py").write_text(text)
        monkeypatch.setattr(sources, "PLUGINS", str(top / "plugins"))
        monkeypatch.setattr(sources, "MODULE_UTILS", str(top / "plugins/module_utils"))
        monkeypatch.setattr(sources.constants, "DEFAULT_LOCAL_TMP", str(top))
        found += [quick.key(MODULE), quick.key(MODULE)]
    assert found[0] == found[1] != found[2] == found[3]

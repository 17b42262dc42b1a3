# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import zipfile

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle

BASE = bundle.PACKAGE.replace(".", "/")


def source(*imports, package=bundle.PACKAGE):
    return "\n".join("from %s%s" % (package, text) for text in imports).encode()


def test_the_closure_follows_every_form_of_import_and_takes_nothing_else():
    sources = {
        BASE + "/a/main.py": source(".b import one, two as other", ".c.three import Name") + b"\ndef f():\n    "
        + source(".d import (\n    four,\n    Five,\n)"),
        BASE + "/b/one.py": b"", BASE + "/b/two.py": source(".b import one"), BASE + "/c/three.py": b"", BASE + "/d/four.py": b"",
        BASE + "/e/unused.py": b"",
    }
    found = bundle.closure(sources, [bundle.PACKAGE + ".a.main"])
    assert sorted(found) == sorted(set(sources) - {BASE + "/e/unused.py"})


def test_an_installed_engine_runs_alone_and_is_installed_once(tmp_path):
    engine = bundle.install(str(tmp_path))
    before = os.stat(engine).st_mtime_ns
    assert bundle.install(str(tmp_path)) == engine
    assert os.stat(engine).st_mtime_ns == before
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == [os.path.basename(engine)]
    probe = "import sys; sys.path[:] = [sys.path[1], sys.path[2], %r]; import %s" % (engine, bundle.ROOTS[1])
    subprocess.run([bundle.python(), "-I", "-S", "-c", probe], check=True, cwd="/")


def test_what_outlives_a_module_never_needs_ansible(tmp_path):
    engine = bundle.install(str(tmp_path))
    layers = os.listdir(os.path.join(engine, BASE))
    assert "edge" not in layers


def test_an_installation_without_its_marker_is_not_used_as_it_is(tmp_path):
    engine = bundle.install(str(tmp_path))
    os.unlink(bundle._marker(engine))
    os.unlink(os.path.join(engine, BASE, "init", "__pycache__", "main.%s.pyc" % sys.implementation.cache_tag))
    assert bundle.install(str(tmp_path)) == engine
    assert os.path.exists(os.path.join(engine, BASE, "init", "__pycache__", "main.%s.pyc" % sys.implementation.cache_tag))


def test_a_payload_is_told_apart_from_another_by_its_entries(tmp_path, monkeypatch):
    seen = set()
    for content in (b"one", b"two"):
        path = tmp_path / content.decode()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(BASE + "/init/main.py", content)
        monkeypatch.setattr(bundle, "__file__", "%s/%s/engine/bundle.py" % (path, BASE))
        seen.add(bundle._fingerprint())
    assert len(seen) == 2


def test_whoever_is_sent_it_is_sent_all_that_it_installs() -> None:
    """Ansible sends what is imported, and nothing else."""
    sent = bundle.closure(bundle._read_all(), [bundle.__name__])
    assert {root.replace(".", "/") + ".py" for root in bundle.ROOTS} <= set(sent)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the connection plugin asks of the copy of the engine that it keeps on a host: by the supervisor alone, and the long way."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import types

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import imageroot
from ansible_collections.cocker.engine.plugins.module_utils.storage import gc
from ansible_collections.cocker.engine.plugins.plugin_utils import gateway, sources
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root
PYTHON = os.path.realpath(sys.executable)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """A copy with all of the engine, and one that can only ask supervisors."""
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        copies = types.SimpleNamespace(whole=os.path.join(found.home, "engine", "hop-whole"), short=os.path.join(found.home, "engine", "hop-short"))
        run(found, gateway._INSTALL, copies.whole, found.home, sources.PACKAGE, content=sources.engine_archive())
        shutil.copytree(copies.whole, copies.short)
        os.unlink(os.path.join(copies.short, sources.PACKAGE, "engine", "hop.py"))
        shutil.rmtree(os.path.join(copies.short, sources.PACKAGE, "engine", "__pycache__"))
        with enginelab.clean(found) as engine:
            engine.start(network_mode="none", init=True)
            yield engine, copies


def run(engine, code, *arguments, content=b""):
    command = [PYTHON, "-I", "-S", "-X", "utf8", "-c", code, *arguments]
    process = engine.lab.spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(content, timeout=60)
        return process.returncode, output, errors
    finally:
        engine.lab.end(process)


def ask(engine, copy, *args, content=None, container="web", **said):
    request = {"home": engine.home, "verb": "exec", "container": container, "stdin": content is not None, "user": "", "cwd": "", "env": {},
               "tools": "never", "args": args, **said}
    return run(engine, gateway._HOP % (copy, ascii(request)), content=content or b"")


@pytest.mark.parametrize("which", ["short", "whole"])
def test_a_command(web, which):
    engine, copies = web
    script = "cat; echo $MORE-$FROM; id -u; pwd; echo wrong >&2; exit 7"
    said = {"env": {"MORE": "a'b\u00e4"}, "user": "web", "cwd": "/etc"}
    code, output, errors = ask(engine, getattr(copies, which), "/bin/sh", "-c", script, content=b"x" * 300000 + b"\n", **said)
    assert (code, output, errors) == (7, b"x" * 300000 + "\na'b\u00e4-image\n1000\n/etc\n".encode(), b"wrong\n")


def test_a_command_that_is_not_there(web):
    engine, copies = web
    code, _output, errors = ask(engine, copies.short, "/bin/none")
    assert code == 127 and b"cocker: " in errors and b"/bin/none" in errors


def test_what_is_left_running_holds_nobody(web):
    engine, copies = web
    code, output, _errors = ask(engine, copies.short, "/bin/sh", "-c", "sleep 1000 & echo $!")
    assert code == 0
    assert ask(engine, copies.short, "/bin/kill", "-9", output.decode().strip())[0] == 0


def test_tools_are_made_by_the_long_way_and_lent_by_the_short_one(web):
    engine, copies = web
    command = ("/bin/sh", "-c", "test -d /dev/.cocker && echo lent")
    for copy in (copies.whole, copies.short):
        assert ask(engine, copy, *command, tools="always")[:2] == (0, b"lent\n")


def test_a_supervisor_of_another_engine_is_left_alone(web):
    engine, copies = web
    with open(os.path.join(copies.whole, "known"), "rb") as stream:
        known = stream.read()
    try:
        with open(os.path.join(copies.whole, "known"), "wb") as stream:
            stream.write(known.replace(PYTHON.encode(), b"/" * len(PYTHON)))
        assert ask(engine, copies.whole, "/bin/echo", "done")[:2] == (0, b"done\n")
    finally:
        with open(os.path.join(copies.whole, "known"), "wb") as stream:
            stream.write(known)


def test_where_nothing_runs(web):
    engine, copies = web
    engine.ensure("idle", images=(enginelab.IMAGE,), command=enginelab.SLEEP, network_mode="none", state="present")
    assert ask(engine, copies.whole, "/bin/echo", "done", container="idle")[:2] == (0, b"done\n")
    code, _output, errors = ask(engine, copies.whole, "/bin/echo", "done", container="none")
    assert code == 255 and b"cocker: container none: it does not exist" in errors


class TestImage:
    @pytest.fixture()
    def look(self, web):
        engine, copies = web

        def look(script, image="box", **said):
            return ask(engine, copies.whole, "/bin/sh", "-c", script, image=image, container="", **said)
        return look

    def test_a_command(self, look):
        assert look("cat /www/index.html; echo $FROM; cat", content=b"in\n") == (0, b"hello\nimage\nin\n", b"")

    def test_nothing_is_written_but_to_memory(self, web, look):
        engine, _copies = web
        before = enginelab.tree(engine.layout.layers)
        script = "for i in /new /etc/passwd /www/index.html /tmp/new; do echo x >> $i || echo no $i; done 2>/dev/null; rm -rf /www 2>/dev/null; cat /www/*"
        assert look(script)[1] == b"no /new\nno /etc/passwd\nno /www/index.html\nhello\n"
        assert enginelab.tree(engine.layout.layers) == before
        assert not [name for name in os.listdir(engine.layout.containers) if name.startswith(".")]

    def test_tools_are_lent(self, look):
        assert look("test -d /dev/.cocker && echo lent", tools="always")[:2] == (0, b"lent\n")

    def test_files_come_but_do_not_go(self, web):
        engine, copies = web
        request = {"home": engine.home, "container": "", "image": "box:1", "user": "", "path": "/www/index.html", "offset": 0, "size": 3}
        assert run(engine, gateway._HOP % (copies.whole, ascii({**request, "verb": "get", "stdin": False})))[:2] == (0, b"hel")
        code, _output, errors = run(engine, gateway._HOP % (copies.whole, ascii({**request, "verb": "put", "stdin": True})), content=b"x")
        assert code == 255 and b"cocker: write to image box:1: containers are made of it" in errors

    @pytest.mark.parametrize(("image", "reason"), [("none", b"none"), ("a b", b"a b"), ("box:9", b"box:9")])
    def test_one_that_is_not_there(self, look, image, reason):
        code, _output, errors = look("true", image=image)
        assert code == 255 and errors.startswith(b"cocker: ") and reason in errors

    def test_its_layers_stay_meanwhile(self, web):
        def is_free(host):
            with imageroot.opened(host, "box"):
                return gc.is_free(host.layout.layer("base"))

        engine, _copies = web
        assert not engine.run(is_free)

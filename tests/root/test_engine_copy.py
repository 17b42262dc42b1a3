# SPDX-License-Identifier: GPL-3.0-or-later
"""Files into a container and out of it: alike for one that runs and one that does not, and never beyond its root."""
from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import copy
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.filetree import Entry
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import FROM_CONTAINER, CopyWish, Sent
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture(params=["running", "stopped"])
def web(request, engine):
    """A container in each of the states that it can be copied to."""
    engine.start(network_mode="none", state="started" if request.param == "running" else "present")
    return engine


def put(engine, where, content=b"text\n", *, check=False, before=lambda: None, **said):
    def run():
        before()
        with enginelab.plain_errors():
            named = {"content": content} if content is not None else {}
            return copy.ensure(open_host(engine.home, dry_run=check), CopyWish("web", where, **named, **said))
    return engine.lab.run(run)


def get(engine, path, target, **said):
    return put(engine, path, None, direction=FROM_CONTAINER, path=str(target), name=os.path.basename(path), **said)


def upper(engine, path):
    return pathlib.Path(engine.layout.container("web"), "upper", path.lstrip("/"))


def facts(path):
    found = path.lstat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


@pytest.fixture
def site(tmp_path):
    """A tree with what trees have."""
    top = tmp_path / "site"
    (top / "a" / "deep").mkdir(parents=True)
    (top / "empty").mkdir(mode=0o750)
    (top / "index.html").write_text("index\n")
    (top / "a" / "run.sh").write_text("#!/bin/sh\n")
    (top / "a" / "run.sh").chmod(0o750)
    (top / "a" / "deep" / "data").write_bytes(bytes(range(256)) * 1000)
    (top / "a" / "link").symlink_to("/etc/passwd")
    return top


def test_a_text_is_written_once(web):
    first = put(web, "/etc/app/app.conf", mode=0o640, owner="web")
    assert first.changed and facts(upper(web, "/etc/app/app.conf")) == (0o640, 1000, 1000)
    assert upper(web, "/etc/app/app.conf").read_text() == "text\n"
    assert first.result["text"] == ("", "text\n")
    second = put(web, "/etc/app/app.conf", mode=0o640, owner="web")
    assert not second.changed and second.actions == []


def test_check_mode_says_the_same_and_does_nothing(web, site):
    before = enginelab.tree(web.home)
    told = put(web, "/srv/site", None, path=str(site), check=True)
    assert enginelab.tree(web.home) == before
    done = put(web, "/srv/site", None, path=str(site))
    assert (told.changed, told.actions, told.plan, told.diff) == (done.changed, done.actions, done.plan, done.diff)
    assert not put(web, "/srv/site", None, path=str(site), check=True).changed


def test_a_tree_goes_in_and_comes_out_as_it_is(web, site, tmp_path):
    assert put(web, "/srv/site", None, path=str(site)).actions[0]["entries"] == 8
    assert facts(upper(web, "/srv/site/a/run.sh")) == (0o750, 0, 0)
    assert os.readlink(upper(web, "/srv/site/a/link")) == "/etc/passwd"
    assert get(web, "/srv/site", tmp_path / "back").changed
    assert not get(web, "/srv/site", tmp_path / "back").changed
    assert enginelab.tree(str(tmp_path / "back")) == enginelab.tree(str(site))
    assert (tmp_path / "back/a/deep/data").read_bytes() == (site / "a/deep/data").read_bytes()


def test_only_what_differs_is_written(web, site):
    put(web, "/srv/site", None, path=str(site))
    kept = upper(web, "/srv/site/index.html").stat().st_ino
    (site / "a/run.sh").write_text("#!/bin/sh\nexit 1\n")
    (site / "a/deep/data").chmod(0o600)
    done = put(web, "/srv/site", None, path=str(site))
    assert sorted(done.plan["reasons"]) == ["a/deep/data: mode", "a/run.sh: content"]
    assert upper(web, "/srv/site/index.html").stat().st_ino == kept
    assert facts(upper(web, "/srv/site/a/deep/data"))[0] == 0o600


def test_a_file_goes_into_a_directory_under_its_name(web, site):
    assert put(web, "/www", None, path=str(site / "index.html"), name="index.html").result["container_path"] == "/www/index.html"
    assert put(web, "/new", None, path=str(site / "index.html"), name="index.html", into=True).result["container_path"] == "/new/index.html"
    with pytest.raises(Conflict, match="is a directory"):
        put(web, "/www")


def test_links_are_followed_inside_of_the_root_only(web, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("of the host\n")
    link = upper(web, "/escape") if not web.state("web")["Running"] else None
    if link is None:
        web.read("web", "ln -s %s /escape; ln -s /etc/passwd /one; ln -s ../../../../etc /up" % secret)
    else:
        for name, target in (("escape", str(secret)), ("one", "/etc/passwd"), ("up", "../../../../etc")):
            os.symlink(target, upper(web, "/" + name))
    with pytest.raises((NotFound, Conflict, OSError)):
        get(web, "/escape/file", tmp_path / "got")
    put(web, "/up/made")
    assert upper(web, "/etc/made").read_text() == "text\n"
    put(web, "/one", b"through\n", follow=True)
    assert upper(web, "/etc/passwd").read_text() == "through\n" and upper(web, "/one").is_symlink()
    put(web, "/one", b"instead\n")
    assert not upper(web, "/one").is_symlink() and upper(web, "/etc/passwd").read_text() == "through\n"
    assert (secret / "file").read_text() == "of the host\n" and os.listdir(secret) == ["file"]


def test_a_copy_out_does_not_write_through_a_link_that_came_out_before(web, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("unchanged\n")
    target = tmp_path / "target"
    target.symlink_to(victim)
    get(web, "/www/index.html", target)
    assert victim.read_text() == "unchanged\n" and target.read_text() == "hello\n" and not target.is_symlink()


def test_set_id_bits_do_not_come_out(web, tmp_path):
    put(web, "/bin/tool", mode=0o4755)
    assert facts(upper(web, "/bin/tool"))[0] == 0o4755
    get(web, "/bin/tool", tmp_path / "tool")
    assert facts(tmp_path / "tool")[0] == 0o755


def test_kinds_are_not_replaced_unless_it_is_wanted(web, site):
    with pytest.raises(Conflict, match="it is a directory there"):
        put(web, "/www/", None, path=str(site / "index.html"), name="../www")
    put(web, "/srv/a", b"file\n")
    with pytest.raises(Conflict, match="not a directory"):
        put(web, "/srv", None, path=str(site))
    assert put(web, "/srv", None, path=str(site), overwrite=True).changed
    assert upper(web, "/srv/a/run.sh").exists()
    assert not put(web, "/srv", None, path=str(site), overwrite=True).changed


def test_force_writes_always_or_never(web):
    put(web, "/file")
    assert put(web, "/file", force=True).changed
    assert not put(web, "/file", b"other\n", force=False).changed
    assert upper(web, "/file").read_text() == "text\n"


def test_volumes_get_what_is_copied_to_them(engine, site):
    engine.volume("data")
    for state in ("present", "started"):
        engine.start(network_mode="none", mounts=mounts.parse_volumes(["data:/data"]), state=state)
        put(engine, "/data/" + state)
        assert pathlib.Path(engine.layout.volume_data("data"), state).read_text() == "text\n"


@pytest.mark.parametrize("path", ["/proc/sys/kernel/core_pattern", "/proc/new", "/sys/kernel/uevent_helper", "/etc/hosts"])
def test_what_is_the_kernels_or_mounted_is_refused(web, path):
    """Also where it will be so only when the container starts."""
    with pytest.raises(Conflict):
        put(web, path)


@pytest.mark.parametrize("path,option", [("/etc/hosts", "etc_hosts"), ("/etc//resolv.conf", "dns_servers"), ("/etc/hostname", "hostname")])
def test_what_the_engine_provides_is_said_by_its_option(web, tmp_path, path, option):
    for said in ({}, {"overwrite": True}):
        with pytest.raises(Conflict, match="%s: the engine writes this file at each start .*say %s" % (os.path.normpath(path), option)):
            put(web, path, **said)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / os.path.basename(path)).write_text("mine\n")
    with pytest.raises(Conflict, match="the engine writes this file"):
        put(web, "/etc", None, path=str(tmp_path / "etc"))


def test_what_is_mounted_by_the_task_over_what_the_engine_provides(engine, tmp_path):
    (tmp_path / "hosts").write_text("old\n")
    for state in ("present", "started"):
        engine.start(network_mode="none", mounts=mounts.parse_volumes(["%s:/etc/hosts" % (tmp_path / "hosts")]), state=state)
        with pytest.raises(Conflict, match="it is mounted there"):
            put(engine, "/etc/hosts")


def test_what_the_engine_provides_comes_out_of_a_container_that_runs(engine, tmp_path):
    engine.start(network_mode="none", state="present")
    with pytest.raises(NotFound, match="/etc/hosts: the engine makes this file when the container starts"):
        get(engine, "/etc/hosts", tmp_path / "hosts")
    engine.start(network_mode="none")
    get(engine, "/etc/hosts", tmp_path / "hosts")
    assert "localhost" in (tmp_path / "hosts").read_text()


def test_a_pipe_is_called_one(web):
    if web.state("web")["Running"]:
        web.read("web", "/bin/busybox mkfifo /pipe")
    else:
        os.mkfifo(upper(web, "/pipe"))
    with pytest.raises(Conflict, match="it is a device, a pipe or a socket there, not a file"):
        put(web, "/pipe")


def test_contents_of_the_controller_are_asked_for_once(web, tmp_path):
    content = b"sent" * 1000
    digest = hashlib.sha256(content).hexdigest()
    entries = (Entry("", "directory", 0o755, 0, 0), Entry("file", "file", 0o644, 0, 0, len(content), "", digest))
    asked = put(web, "/srv/sent", None, sent=Sent(entries))
    assert asked.changed and asked.result["needed"] == [digest] and not upper(web, "/srv/sent").exists()
    (tmp_path / "pack").write_bytes(content)
    assert put(web, "/srv/sent", None, sent=Sent(entries, None, (digest,), str(tmp_path / "pack"))).changed
    assert upper(web, "/srv/sent/file").read_bytes() == content
    again = put(web, "/srv/sent", None, sent=Sent(entries))
    assert not again.changed and "needed" not in again.result


@pytest.mark.parametrize(("point", "nth"), [("stage", 1), ("stage", 5), ("commit", 1)])
def test_a_copy_that_fails_leaves_nothing(web, site, point, nth):
    def patch():
        module, name = enginelab.resolved("storage.placing.Placing." + point)
        real, calls = getattr(module, name), [0]

        def broken(self):
            calls[0] += 1
            if calls[0] == nth:
                raise OSError(28, "made to fail", point)
            real(self)
        setattr(module, name, broken)
    before = enginelab.tree(web.layout.container("web") + "/upper")
    with pytest.raises(OSError, match="made to fail"):
        put(web, "/srv", None, path=str(site), before=patch)
    assert enginelab.tree(web.layout.container("web") + "/upper") == before


def test_the_next_copy_removes_what_a_killed_one_left(web, site):
    with pytest.raises(Exception, match="died|without"):
        put(web, "/srv", None, path=str(site), before=enginelab.dying("storage.placing.Placing.commit", nth=1))
    assert any(".tmp-" in path for path in enginelab.tree(web.layout.container("web") + "/upper"))
    assert put(web, "/srv", None, path=str(site)).changed
    assert not any(".tmp-" in path for path in enginelab.tree(web.layout.container("web") + "/upper"))


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_container_that_swaps_a_directory_for_a_link_gains_nothing(engine, tmp_path, direction):
    """CVE-2018-15664, CVE-2026-41568: the path is looked up while the container changes it."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("of the host\n")
    swap = """cd /; mkdir real; echo inside > real/file; ln -s %s trap; ln -s real way
    while :; do ln -sfn trap way; ln -sfn real way; mv real held; mv trap real; mv real trap; mv held real; done""" % victim
    engine.start(network_mode="none", command=("/bin/sh", "-c", swap))
    seen = set()
    got, deadline = 0, time.monotonic() + 3
    while time.monotonic() < deadline:
        for path in ("/way/file", "/real/file"):
            try:
                if direction == "in":
                    got += put(engine, path, b"mine %d\n" % got).changed
                else:
                    get(engine, path, tmp_path / "got")
                    seen.add((tmp_path / "got").read_text())
                    got += 1
            except (NotFound, Conflict, OSError):
                pass
    assert got and (victim / "file").read_text() == "of the host\n" and os.listdir(victim) == ["file"]
    assert "of the host\n" not in seen
    engine.ensure("web", state="absent")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes without a name, of an image, of another container; what a new volume begins with; host paths in the long form."""
from __future__ import annotations

import dataclasses
import json
import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import checks, containers, observe, rootview
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.contentfile import Content
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, NotFound, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount, parse_volumes
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, treecopy
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        config = ImageConfig(env=("PATH=/bin",), volumes=("/../../etc", "/proc", "/www"))
        images.save(found.layout, ImageRecord("declaring", "1", ("base",), config, "2026-01-01T00:00:00Z", Provenance("directory")))
        yield found


def ensure(engine, name="web", *, check=False, before=lambda: None, volumes_from=(), keep_volumes=True, state="started", **said):
    wish = enginelab.wish(name, network_mode="none", state=state, **said)
    wish = dataclasses.replace(wish, volumes_from=volumes_from, keep_volumes=keep_volumes)

    def run():
        before()
        with enginelab.plain_errors():
            return containers.ensure(open_host(engine.home, dry_run=check), wish)
    return engine.lab.run(run)


def start(engine, name="web", **said):
    return ensure(engine, name, **{"images": ("box",), "command": enginelab.SLEEP, **said})


def data(engine, volume):
    return sorted(os.listdir(engine.layout.volume_data(volume)))


def test_a_new_volume_begins_with_what_the_image_has(engine):
    said = {"mounts": (Mount("volume", "pages", "/www"),)}
    start(engine, **said)
    assert engine.read("web", "ls /www") == "index.html" and data(engine, "pages") == ["index.html"]
    engine.read("web", "rm /www/index.html")
    assert not start(engine, **said).changed and start(engine, restart=True, **said).changed
    assert data(engine, "pages") == []      # what was used once is never filled again


def test_it_stays_empty_where_no_copy_is_wanted_and_is_kept_for_the_next_one(engine):
    start(engine, mounts=(Mount("volume", "pages", "/www", copy=False),))
    assert data(engine, "pages") == []
    start(engine, "other", mounts=(Mount("volume", "pages", "/www"),))
    assert data(engine, "pages") == ["index.html"]


def test_a_copy_that_fails_leaves_nothing(engine):
    def fail():
        def copy_tree(source, target, **_options):
            open(os.path.join(target, "half"), "w").close()
            raise OSError(28, "made up")
        treecopy.copy_tree = copy_tree

    before = engine.snapshot()
    with pytest.raises(OSError, match="made up"):
        start(engine, mounts=(Mount("volume", "pages", "/www"),), before=fail)
    assert engine.snapshot() == before


def test_volumes_of_the_image_and_without_a_name(engine):
    said = {"images": ("declaring",), "mounts": (Mount("volume", "", "/data"),)}
    foreseen = start(engine, check=True, **said)
    done = start(engine, **said)
    assert foreseen.actions == done.actions
    names = engine.layout.volume_names()
    assert len(names) == 2 and all(name.startswith("web.") for name in names)
    assert not start(engine, **said).changed and engine.layout.volume_names() == names
    assert engine.read("web", "ls /www") == "index.html"
    assert engine.read("web", "mount | grep -c ' /etc '; true") == "0"
    ensure(engine, state=ABSENT)
    assert engine.layout.volume_names() == names
    start(engine, **said)
    ensure(engine, state=ABSENT, keep_volumes=False)
    assert engine.layout.volume_names() == []


def test_a_named_volume_and_one_that_another_container_uses_stay(engine):
    start(engine, mounts=(Mount("volume", "", "/data"), Mount("volume", "named", "/named")))
    start(engine, "other", volumes_from=(("web", True),))
    ensure(engine, state=ABSENT, keep_volumes=False)
    assert len(engine.layout.volume_names()) == 2


def test_mounts_of_another_container(engine):
    start(engine, "db", mounts=(Mount("volume", "data", "/data"), Mount("tmpfs", "", "/fast")))
    start(engine, volumes_from=(("db", True),))
    engine.read("db", "echo hello > /data/file")
    assert engine.read("web", "cat /data/file; touch /data/x 2>/dev/null || echo no; ls -d /fast 2>/dev/null; true") == "hello\nno"
    assert not start(engine, volumes_from=(("db", True),)).changed
    with pytest.raises(NotFound, match="nobody"):
        start(engine, volumes_from=(("nobody", False),))


def test_a_directory_of_the_host_is_made_where_that_is_wanted(engine, tmp_path):
    path = str(tmp_path / "made" / "here")
    with pytest.raises(Invalid, match="the host has no"):
        start(engine, mounts=(Mount("bind", path, "/data"),))
    start(engine, mounts=(Mount("bind", path, "/data", create=True),), check=True)
    assert not os.path.exists(path)
    with pytest.raises(StartFailed):
        start(engine, mounts=(Mount("bind", path, "/data", create=True),), command=("/nothing",))
    assert os.listdir(tmp_path) == []
    done = start(engine, mounts=(Mount("bind", path, "/data", create=True),))
    assert "create_directory" in [action["action"] for action in done.actions] and os.path.isdir(path)
    assert not start(engine, mounts=(Mount("bind", path, "/data", create=True),)).changed


def test_labels_of_a_volume_that_a_container_makes(engine):
    start(engine, mounts=(Mount("volume", "data", "/data", labels={"tier": "db"}),))
    with open(engine.layout.volume_record("data"), encoding="utf-8") as record:
        assert json.load(record)["labels"] == {"tier": "db"}


WATCHER = ("/bin/sh", "-c", "trap 'cat /etc/app.conf >> /tmp/seen' HUP; : > /tmp/seen; while :; do sleep 0.1; done")


def conf(text, target="/etc/app.conf", *, read_only=True, **said):
    return Mount("content", "", target, read_only=read_only, content=Content(text, **said))


def run_of(engine, name="web"):
    return engine.find(name)["State"]["StartedAt"]


def test_a_file_with_content_and_what_another_one_costs(engine):
    said = {"mounts": (conf("one\n", mode=0o640, uid=7, gid=8),)}
    foreseen = start(engine, check=True, **said)
    done = start(engine, **said)
    assert foreseen.actions == done.actions and not start(engine, **said).changed
    assert engine.read("web", "cat /etc/app.conf; stat -c '%a %u %g' /etc/app.conf") == "one\n640 7 8"
    assert engine.read("web", "echo x 2>/dev/null > /etc/app.conf || echo no") == "no"
    began = run_of(engine)
    again = start(engine, mounts=(conf("two, and longer\n"),))
    assert again.plan["action"] == "restart" and run_of(engine) != began
    assert engine.read("web", "cat /etc/app.conf; stat -c '%a %u' /etc/app.conf") == "two, and longer\n444 0"
    quiet = {"mounts": (conf("two, and longer\n", on_change="none"),)}
    assert start(engine, **quiet).plan["action"] == "update"
    began = run_of(engine)
    assert start(engine, mounts=(conf("x\n", on_change="none"),), on_change="live_only").plan["action"] == "update"
    assert run_of(engine) == began and engine.read("web", "cat /etc/app.conf") == "x"
    start(engine, mounts=())
    assert not os.listdir(os.path.join(engine.layout.container("web"), "files"))


def test_a_container_is_told_to_read_its_files_again(engine):
    said = {"command": WATCHER}
    start(engine, mounts=(conf("one\n", on_change="reload"),), **said)
    assert poll.until(lambda: engine.read("web", "test -e /tmp/seen && echo set; true") == "set", timeout=10)    # before, PID 1 hears nothing
    began = run_of(engine)
    new = {"mounts": (conf("two\n", on_change="reload"),), **said}
    foreseen = start(engine, check=True, **new)
    done = start(engine, **new)
    assert foreseen.actions == done.actions == [{"action": "update", "name": "web", "options": ["mounts"], "signals": ["SIGHUP"]}]
    assert done.diff["after"]["mounts"][0]["content"]["text"] == "two\n"
    assert poll.until(lambda: engine.read("web", "cat /tmp/seen 2>/dev/null; true") == "two", timeout=10) and run_of(engine) == began
    assert not start(engine, **new).changed


def test_a_change_that_fails_brings_the_former_content_back(engine):
    said = {"command": WATCHER, "networks": ()}
    start(engine, mounts=(conf("one\n", on_change="reload"),), **said)
    with pytest.raises(OSError, match="made to fail"):
        start(engine, mounts=(conf("two\n", on_change="reload"),), before=enginelab.failing("kernel.process.signal"), **said)
    assert engine.read("web", "cat /etc/app.conf") == "one"
    assert not start(engine, mounts=(conf("one\n", on_change="reload"),), **said).changed


def below(engine, subpath, **said):
    return start(engine, mounts=(Mount("volume", "pages", "/www", copy=False, subpath=subpath),), **said)


@pytest.fixture
def pages(engine):
    """A volume that somebody has put hostile links into."""
    engine.volume("pages")
    top = engine.layout.volume_data("pages")
    os.makedirs(os.path.join(top, "a/deep"))
    for path in ("file", "a/deep/own"):
        with open(os.path.join(top, path), "w", encoding="ascii") as file:
            file.write("of the volume")
    for name, target in (("top", "/a"), ("up", "../../../../../../a"), ("etc", "/etc"), ("proc", "/proc/self/root"), ("loop", "loop")):
        os.symlink(target, os.path.join(top, name))
    return top


@pytest.mark.parametrize("subpath, seen", [
    ("a", "deep"), ("a/deep", "own"), ("top", "deep"), ("up/deep", "own"), ("up", "deep"),
])
def test_a_part_of_a_volume_wherever_its_links_lead_within_it(engine, pages, subpath, seen):
    foreseen = below(engine, subpath, check=True)
    assert foreseen.actions == below(engine, subpath).actions
    assert engine.read("web", "ls /www") == seen
    assert not below(engine, subpath).changed
    assert engine.find("web")["Mounts"][0]["SubPath"] == subpath


@pytest.mark.parametrize("subpath", ["etc", "proc", "loop", "none", "file/x", "etc/passwd"])
def test_a_part_that_is_not_there_is_refused_before_the_first_effect(engine, pages, subpath):
    for check in (True, False):
        with pytest.raises(Invalid, match="mounts.subpath: the volume pages has no %s: " % subpath):
            below(engine, subpath, check=check)
    assert engine.find("web") is None


def test_a_file_of_a_volume_and_another_part_is_a_restart(engine, pages):
    start(engine, mounts=(Mount("volume", "pages", "/one", copy=False, subpath="file", read_only=True),))
    assert engine.read("web", "cat /one") == "of the volume"
    done = below(engine, "a")
    assert done.plan["action"] == "restart" and engine.read("web", "ls /www; wc -c </one") == "deep\n0"


def test_a_part_of_a_volume_that_is_not_there_makes_none(engine):
    with pytest.raises(Invalid, match="the volume pages has no a"):
        below(engine, "a")
    assert not engine.layout.volume_names()


def test_a_part_that_becomes_a_link_outside_after_the_check_leads_nowhere(engine, pages):
    below(engine, "a", state="present")

    def between():
        look = checks._subpath

        def swapped(*args):
            look(*args)
            os.rename(os.path.join(pages, "a"), os.path.join(pages, "b"))
            os.symlink("/etc", os.path.join(pages, "a"))
        checks._subpath = swapped
    with pytest.raises(StartFailed, match="mount source"):
        below(engine, "a", before=between)
    assert engine.state("web")["Status"] == "created"


def test_files_of_a_stopped_container_are_those_of_the_part(engine, pages):
    below(engine, "up", state="present")

    def listed(host):
        with rootview.opened(host, observe.container(host, "web")) as root:
            fd = rootpath.open_in(root.fd, "/www/deep", os.O_RDONLY)
            try:
                return os.listdir(fd)
            finally:
                os.close(fd)
    assert engine.run(listed) == ["own"]


@pytest.fixture
def tree(engine, tmp_path):
    """A directory of the host, a mount of its own that is shared, with another one in it."""
    top = str(tmp_path / "tree")
    os.mkdir(top)
    for command in (["mount", "-t", "tmpfs", "top", top], ["mount", "--make-shared", top], ["mkdir", top + "/in", top + "/late"],
                    ["mount", "-t", "tmpfs", "in", top + "/in"], ["touch", top + "/in/below"]):
        engine.lab.call(*command)
    yield top
    engine.lab.call("umount", "-R", top)


@pytest.mark.parametrize("words, late, below", [
    ("rprivate", False, True), ("rslave", True, True), ("bind", False, False), ("ro,rshared", True, True),
])
def test_what_is_mounted_below_a_directory_of_the_host(engine, tree, words, late, below):
    start(engine, mounts=parse_volumes(["%s:/tree:%s" % (tree, words)]))
    engine.lab.call("mount", "-t", "tmpfs", "late", tree + "/late")
    assert (engine.read("web", "ls /tree/in") == "below") is below
    assert ("/tree/late" in engine.read("web", "cut -d' ' -f5 /proc/self/mountinfo")) is late
    written = engine.read("web", "for each in /tree /tree/in; do touch $each/file 2>/dev/null && echo $each; done; true").split()
    assert written == ([] if words[:2] == "ro" else ["/tree", "/tree/in"])


def test_what_a_container_mounts_in_a_shared_directory_is_the_hosts_too(engine, tree):
    start(engine, mounts=parse_volumes(["%s:/tree:rshared" % tree]), privileged=True)
    engine.read("web", "mount -t tmpfs mine /tree/late")
    assert tree + "/late" in engine.lab.call("cat", "/proc/self/mountinfo")
    engine.read("web", "umount /tree/late")
    assert tree + "/late" not in engine.lab.call("cat", "/proc/self/mountinfo")

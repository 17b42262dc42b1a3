# SPDX-License-Identifier: GPL-3.0-or-later
"""What people look at, change and put away with the `cocker` command, on a real store."""
from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import clilab

pytestmark = pytest.mark.root


@pytest.fixture
def web(cocker):
    cocker.engine.start("web", network_mode="none", stop_timeout=0, memory=1 << 26)
    return cocker


def test_processes_and_what_they_use(web):
    code, out, _err = web("top", "web")
    assert code == 0 and out.splitlines()[0].split()[:2] == ["PID", "PPID"] and out.rstrip().endswith("/bin/sleep 1000")
    assert json.loads(web("top", "--format", "json", "web")[1])["ContainerPID"] == 1
    code, out, _err = web("stats", "--no-stream")
    title, row = out.splitlines()
    assert code == 0 and title.startswith("NAME") and row.startswith("web") and "67.1MB" in row
    assert json.loads(web("stats", "--no-stream", "--format", "json", "web")[1])["memory_stats"]["limit"] == 1 << 26
    assert web("stats", "--no-stream", "nix")[0] == 1


def test_stats_are_shown_again_until_they_are_left(web):
    process = web.start("stats", "--format", "json", stdout=subprocess.PIPE)
    first, second = (json.loads(process.stdout.readline())["read"] for _round in range(2))
    assert first < second
    process.send_signal(2)
    assert process.wait(10) == 130
    web.engine.lab.end(process)


def test_stats_are_drawn_anew_at_a_terminal_until_they_are_left(web):
    with clilab.seats(web) as sit:
        found = sit("stats")
        for _round in range(2):
            found.expect_exact("\x1b[H\x1b[J\x1b[1mNAME")
            found.expect(r"web +[0-9.]+% +[0-9.]+kB / 67.1MB +[0-9.]+%")
        found.sendintr()
        assert clilab.code(found) == 130


def test_several_are_stopped_and_removed_at_once(cocker):
    """Each ends only when all have been told to. They are named in the order given."""
    meet = "trap 'touch /meeting/$0; until [ $(ls /meeting | wc -l) -ge 3 ]; do sleep 0.05; done; exit 5' TERM; touch /up; while :; do sleep 0.05; done"
    names = ["b", "a", "c"]
    said = {"network_mode": "none", "stop_signal": 15, "mounts": (Mount("volume", "meeting", "/meeting"),)}
    for name in names:
        cocker.engine.start(name, command=("/bin/sh", "-c", meet, name), **said)
        cocker.engine.read(name, "until [ -e /up ]; do sleep 0.05; done")
    assert cocker("stop", "-t", "30", "b", "nix", "a", "c")[:2] == (1, "b\na\nc\n")
    assert [cocker.engine.state(name)["ExitCode"] for name in names] == [5] * 3
    assert cocker("rm", *names) == (0, "b\na\nc\n", "")
    assert cocker("volume", "rm", "meeting")[0] == 0


def test_what_a_container_changed_becomes_an_image(web):
    web("exec", "web", "sh", "-c", "echo x > /made; rm /www/index.html")
    assert web("diff", "web")[1].splitlines() == ["A /made", "C /www", "D /www/index.html"]
    assert web("commit", "-a", "somebody", "web", "mine:1.0") == (0, "mine:1.0\n", "")
    assert web("run", "--rm", "--network", "none", "mine", "cat", "/made") == (0, "x\n", "")
    assert json.loads(web("inspect", "mine:1.0")[1])[0]["Author"] == "somebody"
    assert web("stop", "web")[0] == 0
    assert web("commit", "--move", "--layers", "top", "web", "topmost") == (0, "topmost\n", "")
    assert web("ps", "-aq") == (0, "", "")
    assert web("images", "topmost", "--format", "{size}")[1] == "2B\n"
    assert web("rmi", "mine:1.0", "topmost")[0] == 0


def test_an_image_goes_out_and_comes_in(cocker, tmp_path):
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "name").write_text("mine\n")
    assert cocker("import", str(tmp_path / "root"), "mine:1.0")[0] == 0
    assert cocker("export", "-o", str(tmp_path), "mine:1.0") == (0, str(tmp_path / "mine:1.0.cockerimage") + "\n", "")
    assert cocker("tag", "mine:1.0", "mine:2.0")[0] == 0
    assert cocker("export", "-o", str(tmp_path / "two.tar"), "mine:1.0", "mine:2.0")[0] == 0
    code, _out, err = cocker("export", "-o", str(tmp_path / "two.tar"), "mine:1.0", "mine:2.0")
    assert code == 0 and "nothing to do" in err
    assert cocker("import", str(tmp_path / "mine:1.0.cockerimage"), "again:2") == (0, "again:2\n", "")
    assert cocker("rmi", "mine:1.0", "mine:2.0", "again:2")[0] == 0


def test_options_change_while_it_runs(web):
    before = web.engine.state("web")["Pid"]
    assert web("update", "--memory", "32M", "-l", "a=b", "web") == (0, "web\n", "")
    shown = json.loads(web("inspect", "web")[1])[0]
    assert (shown["HostConfig"]["Memory"], shown["State"]["Pid"]) == (1 << 25, before)
    code, _out, err = web("update", "--env", "A=b", "web")
    assert code == 1 and "restart" in err
    assert web("update", "--memory", "32M", "nix")[0] == 1
    code, out, err = web("update", "--memory", "many", "nix", "web")
    assert (code, out) == (2, "") and "'many' is not a number" in err
    assert web("update", "web")[0] == 2


def test_what_nobody_needs_goes_after_it_was_agreed_to(cocker):
    cocker("create", "--name", "old", "--network", "none", "box", "true")
    cocker.engine.volume("kept")
    code, out, _err = cocker("prune", "--containers", "--dry-run")
    assert code == 0 and "would go: container old" in out
    assert cocker("prune", "--containers")[0] == 2
    code, out, _err = cocker("prune", "-f", "--containers", "--filter", "until=24h")
    assert code == 0 and cocker("ps", "-aq")[1] == "old\n"
    code, out, _err = cocker("prune", "-f", "--containers", "--networks")
    assert code == 0 and "removed: container old" in out and cocker("ps", "-aq")[1] == ""
    assert cocker("volumes", "-q")[1] == "kept\n"


def test_prune_asks_at_a_terminal(cocker):
    cocker("create", "--name", "old", "--network", "none", "box", "true")
    with clilab.seats(cocker) as sit:
        for answer, number in (("n", 1), ("y", 0)):
            found = sit("prune", "--containers")
            found.expect_exact("[y/N]")
            found.sendline(answer)
            assert clilab.code(found) == number
    assert cocker("ps", "-aq")[1] == ""


def test_a_report_tells_no_secrets(cocker):
    cocker("create", "--name", "web", "--network", "none", "-e", "PASSWORD=hunter2", "box", "true")
    code, out, _err = cocker("report", "--logs")
    told = json.loads(out)
    assert code == 0 and "hunter2" not in out and "PASSWORD=..." in told["containers"][0]["Config"]["Env"]
    assert set(told) == {"version", "host", "containers", "images", "networks", "volumes", "logs"}


def test_ids_will_do_for_names(web, tmp_path):
    short = web("ps", "--format", "{{.ID}}")[1].strip()
    assert len(short) == 12 and web("exec", short, "echo", "here") == (0, "here\n", "")
    assert web("inspect", "-f", "{{.Name}}", short) == (0, "/web\n", "")
    assert web("cp", short + ":/www/index.html", str(tmp_path / "page"))[0] == 0 and (tmp_path / "page").read_text() == "hello\n"
    assert web("stop", short) == (0, "web\n", "")
    assert web("rename", short, short[:4]) == (0, "web\n", "")
    web("create", "--name", "other", "--network", "none", "box", "true")
    assert web("rm", short[:4], short) == (1, short[:4] + "\n", "cocker: remove container %s: it does not exist\n" % short[:4])
    identifier = web("images", "top:1", "--format", "{{.ID}}")[1].strip()
    assert web("tag", identifier, "mine:2") == (0, "mine:2\n", "")
    code, _out, err = web("rmi", identifier)
    assert code == 1 and "mine:2, top:1" in err
    assert web("rmi", "mine:2")[0] == 0


def test_the_last_ones_and_what_they_have_written(web):
    web("exec", "web", "sh", "-c", "echo 12345 >/made")
    web("create", "--name", "second", "--network", "none", "box", "true")
    assert web("ps", "-lq")[1] == "second\n" and web("ps", "-qn", "2")[1] == "second\nweb\n" and web("ps", "-qn0")[1] == ""
    assert web("ps", "-s", "--format", "{size}")[1].startswith("6B (virtual ")
    assert web("images", "-q", "b*")[1] == web("images", "-q", "--filter", "reference=box:1")[1] == "box:1\n"


def test_columns_of_a_listing_in_a_text_of_one_s_own(web):
    assert web("ps", "--format", "{names}\\t{image}") == (0, "web\tbox:1\n", "")
    for wrong in ("{nix}", "yaml"):
        code, _out, err = web("ps", "--format", wrong)
        assert code == 2 and "names" in err or "container_id" in err


def test_ports_are_told(cocker):
    cocker.engine.start("web", published_ports=("8080:80",), stop_timeout=0)
    assert cocker("port", "web", "80")[1].splitlines()[0] == "0.0.0.0:8080"
    assert "80/tcp -> 0.0.0.0:8080" in cocker("port", "web")[1]
    assert cocker("port", "web", "81")[0] == 2


def test_long_work_has_bars_on_a_terminal_only(cocker, tmp_path):
    with tarfile.open(tmp_path / "big.tar", "w") as archive:
        for number in range(3000):
            entry = tarfile.TarInfo("file%d" % number)
            entry.size = 1 << 14
            archive.addfile(entry, io.BytesIO(os.urandom(1 << 14)))
    (tmp_path / "root").mkdir()
    subprocess.run(["tar", "-C", str(tmp_path / "root"), "-xf", str(tmp_path / "big.tar")], check=True)
    with clilab.seats(cocker) as sit:
        found = sit("import", str(tmp_path / "big.tar"), "big:1")
        found.expect(r"big\.tar +\[=* *>? *\]")
        found.expect_exact("\x1b[J")
        found.expect_exact("big:1\r\n")
        assert clilab.code(found) == 0
        found = sit("export", "-o", str(tmp_path / "out.tar"), "big:1")
        assert clilab.code(found) == 0 and found.before.rstrip().endswith(b"out.tar")
        found = sit("import", str(tmp_path / "root"), "dir:1")
        found.expect(r"root +\[=* *>? *\]")
        assert clilab.code(found) == 0 and found.before.rstrip().endswith(b"dir:1")
    assert cocker("rmi", "dir:1")[0] == 0
    assert cocker("rmi", "big:1") == (0, "big:1\n", "")
    assert cocker("import", str(tmp_path / "big.tar"), "big:1") == (0, "big:1\n", "")
    assert cocker("rmi", "big:1")[0] == 0

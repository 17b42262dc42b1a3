# SPDX-License-Identifier: GPL-3.0-or-later
"""The first cocker's command lines, as its users type them, with what was broken in them mended."""
from __future__ import annotations

import os
import re

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import repositories
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.tests.root import clilab, sshlab

pytestmark = pytest.mark.root
OK = (0, "OK\n", "")


def columns(cocker, what):
    code, out, _err = cocker("-s", what)
    assert code == 0
    return [line.split() for line in out.splitlines()[1:]]


def test_a_container_from_create_to_destroy(cocker):
    name = ("-c", "calvin=G6")
    create = ("-a", "create", "-m", "box,top", "--host", "G6", "--net", "BRIDGE", "--vip", "10.166.88.2", "--port-mapping", "8600:8600,2222:222", *name)
    assert cocker(*create) == OK
    row = ["calvin=G6", "box,top", "G6", "BRIDGE", "nns" + cocker.engine.run(lambda host: os.path.basename(host.netns("calvin=G6")))[3:]]
    assert columns(cocker, "containers")[0][:5] == row and columns(cocker, "containers")[0][-1] == "STOPED"
    assert cocker(*create)[:2] == (255, "*** ERROR : container 'calvin=G6': exist\n")
    assert cocker("-a", "boot", *name, "--cpu-quota", "30%", "--mem-limit", "100M") == OK
    assert re.fullmatch(r"RUNNING\(\d+\)", columns(cocker, "containers")[0][-1])
    assert cocker("-a", "boot", *name)[:2] == (255, "*** ERROR : container 'calvin=G6': is already running (shutdown comes first)\n")
    limits = cocker.engine.find("calvin=G6")["HostConfig"]
    assert (limits["CpuQuota"] / limits["CpuPeriod"], limits["Memory"], limits["MemorySwap"]) == (0.3, 104857600, 104857600)
    assert cocker("-a", "run", *name, "--cmd", "hostname; echo one; sleep 0.2; echo two") == (0, "G6\none\ntwo\nOK\n", "")
    assert cocker("-a", "run", *name, "--cmd", "exit 3") == (3, "", "")
    root = cocker("-s", "container_root", *name)[1].strip()
    assert re.fullmatch(r"/proc/\d+/root", root)
    assert cocker("-a", "destroy", *name)[0] == 255
    assert cocker("-a", "shutdown", *name) == OK
    assert cocker("-a", "shutdown", *name)[0] == 255
    assert cocker("-a", "destroy", *name, "-h") == OK
    assert cocker("-s", "containers") == (0, "", "")


def test_services_that_are_started_from_outside_go_on(cocker):
    cocker("-a", "create", "-m", "box", "-c", "G6", "-b")
    assert cocker("-a", "run", "-c", "G6", "--cmd", "nohup sleep 5610") == OK
    assert poll.until(lambda: "sleep 5610" in cocker("top", "G6")[1], timeout=5)
    assert cocker("-a", "kill", "-c", "G6") == OK
    assert cocker("-a", "destroy", "-c", "G6", "-f") == OK


def test_a_single_process_and_one_that_is_not_there(cocker):
    assert cocker("-a", "create", "-m", "box", "-c", "G6", "-b", "-e", "/bin/sleep 5620", "-d")[1].splitlines()[-1] == "OK"
    assert cocker.engine.read("G6", "tr '\\0' ' ' < /proc/1/cmdline") == "/bin/sleep 5620 "
    code, out, _err = cocker("-a", "create", "-m", "box", "-c", "bad", "-b", "-e", "/no/such --thing")
    assert code == 255 and "/no/such" in out
    assert cocker("-a", "destroy", "-c", "G6", "-h") == OK


def test_properties_of_one_that_does_not_run(cocker):
    cocker("-a", "create", "-m", "box", "-c", "G6", "--net", "BRIDGE", "--vip", "10.166.88.2")
    assert cocker("-a", "vip", "-c", "G6", "--vip", "10.166.88.3") == OK
    assert cocker("-a", "port_mapping", "-c", "G6", "--port-mapping", "2222:22") == OK
    assert cocker("-a", "volume", "-c", "G6", "--volume", "/etc:/mnt/etc") == OK
    assert cocker("-a", "boot", "-c", "G6") == OK
    assert "10.166.88.3" in cocker("-a", "run", "-c", "G6", "--cmd", "ip addr; ls /mnt/etc/passwd")[1]
    assert "0.0.0.0:2222" in cocker("port", "G6")[1]
    assert cocker("-a", "vip", "-c", "G6", "--vip", "10.166.88.4")[0] == 255
    assert cocker("-a", "shutdown", "-c", "G6") == OK
    assert cocker("-a", "port_mapping", "-c", "G6", "--port-mapping", "") == OK
    assert cocker("-a", "volume", "-c", "G6", "--volume", "") == OK
    assert cocker("inspect", "G6")[1].count("2222") == 0
    assert cocker("-a", "destroy", "-c", "G6") == OK


def test_containers_and_images_become_each_other(cocker):
    cocker("-a", "create", "-m", "box", "-c", "one", "-b")
    cocker("-a", "run", "-c", "one", "--cmd", "echo made > /made")
    assert cocker("-a", "to_image", "--from-container", "one", "--to-image", "made")[0] == 255
    cocker("-a", "shutdown", "-c", "one")
    assert cocker("-a", "to_image", "--from-container", "one", "--to-image", "made", "--version", "1.0.0") == OK
    assert columns(cocker, "images")[1][:2] == ["made", "1.0.0"] and cocker("-s", "containers")[1] == ""
    assert columns(cocker, "images")[1][3:] == ["5", "B"]
    assert cocker("-a", "to_container", "--from-image", "made:1.0.0", "-m", "box", "--to-container", "one") == OK
    assert "made" not in cocker("-s", "images")[1]
    assert cocker("-a", "to_image", "--from-container", "one", "--to-image", "made") == OK
    assert columns(cocker, "images")[1][:2] == ["made", "1.0.0"]
    assert cocker("-a", "del_image", "-m", "made:1.0.0") == OK
    assert cocker("-a", "del_image", "-m", "made:1.0.0")[0] == 255


def test_images_change_their_version_and_travel(cocker, tmp_path):
    (tmp_path / "root" / "etc").mkdir(parents=True)
    cocker("import", str(tmp_path / "root"), "mine")
    for options, version in ((("--version", "1.0.1"), "1.0.1"), (("--version", "1.0.2"), "1.0.2"), ((), "_")):
        name = "mine" if columns(cocker, "images")[1][1] == "_" else "mine:" + columns(cocker, "images")[1][1]
        assert cocker("-a", "version", "-m", name, *options) == OK
        assert columns(cocker, "images")[1][:2] == ["mine", version]
    assert cocker("-a", "copy_image", "--from-image", "mine", "--to-image", "other:2") == OK
    assert cocker("-a", "copy_image", "--from-image", "mine", "--to-image", "other:2")[0] == 255
    script = 'cd "$0" && "$1" -a export -m other:2 && "$1" -a del_image -m other:2 && "$1" -a import --image-file other:2.cockerimage'
    shown = cocker.engine.lab.call("env", "COCKER_HOME=" + cocker.engine.home, "sh", "-c", script, str(tmp_path), cocker.command)
    assert shown == "OK\n" * 3 and (tmp_path / "other:2.cockerimage").exists()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", columns(cocker, "images")[2][2])
    (tmp_path / "root" / "etc" / "more").touch()
    assert cocker("import", str(tmp_path / "root"), "third") == (0, "third\n", "")
    assert cocker("-a", "copy_image", "--from-image", "third", "--to-image", "other:2")[0] == 255
    cocker("-a", "create", "-m", "mine", "-c", "one")
    assert cocker("-a", "to_image", "--from-container", "one", "--to-image", "third")[:2] \
        == (255, "*** ERROR : image 'third:_': exist (del_image comes first)\n")
    assert cocker("-a", "destroy", "-c", "one") == OK
    (tmp_path / "other:2.cockerimage").rename(tmp_path / "third.cockerimage")
    assert cocker("-a", "import", "--image-file", str(tmp_path / "third.cockerimage"))[0] == 255
    for name in ("mine", "other:2", "third"):
        assert cocker("-a", "del_image", "-m", name) == OK


def test_files_and_templates(cocker, tmp_path):
    (tmp_path / "tpl").write_text("admin ${ADMIN_PORT} ${DEST}\n")
    (tmp_path / "map").write_text("${ADMIN_PORT}   8600\n${DEST}  a b \n")
    cocker("-a", "create", "-m", "box", "-c", "G6", "-b")
    for running in (True, False):
        assert cocker("-a", "putfile", "-c", "G6", "--src-file", str(tmp_path / "tpl"), "--dst-file", "/etc/tpl") == OK
        replace = ("-a", "rplfile", "-c", "G6", "--template-file", "/etc/tpl", "--mapping-file", str(tmp_path / "map"), "--instance-file", "/etc/g6")
        assert cocker(*replace) == OK
        assert cocker("-a", "getfile", "-c", "G6", "--src-file", "/etc/g6", "--dst-file", str(tmp_path / "got")) == OK
        assert (tmp_path / "got").read_text() == "admin 8600 a b\n"
        assert cocker("-a", "shutdown" if running else "destroy", "-c", "G6") == OK


@pytest.mark.parametrize(("words", "code", "text"), [
    (("-a", "frob"), 7, "none of attach boot"), (("-s", "frob"), 7, "none of"), (("-a", "boot"), 7, "expect '--container'"),
    (("-a", "create", "-m", "box", "-c", "x", "--net", "BRIDGE"), 7, "expect '--vip'"), (("-a", "boot", "--nix"), 7, "usage"),
    (("-a", "create", "-m", "box", "-c", "x", "--net", "NAT"), 7, "HOST BRIDGE CUSTOM"), (("-a", "shutdown", "-c", "nix"), 255, "not found"),
    (("-a", "create", "-m", "nix", "-c", "x"), 255, "nix"), (("-a", "kill", "-c", "x", "--vip", "1.2.3.4"), 7, "does not go with it"),
    (("-a", "attach", "-c", "nix"), 255, "not found"), (("-s", "container_root"), 7, "expect '--container'"),
], ids=str)
def test_what_is_wrong_is_said_in_the_first_cocker_s_words(cocker, words, code, text):
    found, out, err = cocker(*words)
    assert found == code and out.startswith("*** ERROR : ") and text in out and not err
    assert cocker("-s", "containers")[1] == ""


def test_logging_in_at_boot(cocker):
    with clilab.seats(cocker) as sit:
        found = sit("-a", "create", "-m", "box", "-c", "G6", "--host", "yum", "-b", "-t")
        found.expect_exact("# ")
        found.sendline("hostname; exit")
        found.expect_exact("yum\r\n")
        assert clilab.code(found) == 0
    assert columns(cocker, "containers")[0][-1].startswith("RUNNING")
    assert cocker("-a", "destroy", "-c", "G6", "-h") == OK


@pytest.fixture(scope="module")
def server(lab, tmp_path_factory):
    with sshlab.serving(lab.lab, tmp_path_factory.mktemp("ssh")) as found:
        yield found


def test_images_in_an_ssh_repository(server, cocker, tmp_path):
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    cocker("import", str(tmp_path / "root"), "mine:1.0")
    assert cocker("-s", "ssearch")[0] == 7
    cocker.engine.run(repositories.remember, server.reach(tmp_path / "there"))
    assert cocker("-s", "ssearch") == (0, "", "")
    assert cocker("-a", "spush", "-m", "mine:1.0") == OK
    assert cocker("-a", "spush", "-m", "mine:1.0", "-f") == OK
    assert columns(cocker, "ssearch")[0][0] == "mine:1.0" and not columns(cocker, "ssearch")[1:]
    assert cocker("-s", "ssearch", "--match", "nix") == (0, "", "")
    assert cocker("-a", "spull", "-m", "mine:1.0")[0] == 255
    assert cocker("-a", "del_image", "-m", "mine:1.0") == OK
    assert cocker("-a", "spull", "-m", "mine:1.0") == OK
    address = str(server.reach(tmp_path / "there").address)
    assert cocker("search", "--repository", "-", "--format", "{image}") == (0, "mine:1.0\n", "")
    assert cocker("push", "--repository", "-", "mine:1.0")[:2] == (0, "mine:1.0 in %s\n" % address)
    assert cocker("rmi", "mine:1.0")[0] == 0
    assert cocker("pull", "--repository", "-", "mine:1.0") == (0, "mine:1.0\n", "")
    assert cocker("-a", "del_image", "-m", "mine:1.0") == OK
    os.unlink(cocker.engine.layout.repository)

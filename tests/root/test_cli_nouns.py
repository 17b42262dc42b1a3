# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker network ...`, `volume ...` and `image ...`: what they make and remove, and the command lines of capsule."""
from __future__ import annotations

import json

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import execs
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll

pytestmark = pytest.mark.root


def test_a_network_from_the_command_line_to_its_end(cocker):
    assert cocker("network", "create", "--subnet", "10.66.7.0/24", "--gateway", "10.66.7.9", "--mtu", "1400", "-l", "a=b", "back") == (0, "back\n", "")
    shown = json.loads(cocker("network", "show", "back")[1])[0]
    assert (shown["IPAM"]["Config"], shown["Labels"]) == ([{"Subnet": "10.66.7.0/24", "Gateway": "10.66.7.9"}], {"a": "b"})
    code, _out, err = cocker("network", "create", "back")
    assert code == 1 and "exists already" in err
    assert cocker("network", "create", "--subnet", "nix", "other")[0] == 2
    assert cocker("network", "ls", "-q", "-driver", "bridge")[1] == "back\n" and cocker("network", "ls", "-q", "-driver", "vxlan")[1] == ""
    assert cocker("network", "delete", "-driver", "vxlan", "back")[0] == 1
    assert cocker("network", "rm", "nix", "back") == (1, "back\n", "cocker: remove network nix: it does not exist\n")
    assert cocker("network", "rm", "-f", "back") == (0, "back\n", "")


def test_a_container_comes_onto_a_network_and_goes(cocker):
    assert cocker("network", "create", "--subnet", "10.66.7.0/24", "back") == (0, "back\n", "")
    for name in ("web", "db"):
        assert cocker("run", "-d", "--name", name, "--stop-timeout", "0", "box", "sleep", "1000")[0] == 0
    pid = cocker.engine.state("web")["Pid"]
    assert cocker("network", "connect", "--ip", "10.66.7.9", "--alias", "www", "back", "web") == (0, "", "")
    assert cocker("network", "connect", "back", "db") == (0, "", "")
    assert cocker("exec", "db", "grep", "-c", "10.66.7.9.web www", "/etc/hosts")[1] == "1\n"
    assert cocker("exec", "db", "ping", "-c", "1", "-w", "5", "www")[0] == 0
    code, _out, err = cocker("network", "connect", "back", "web")
    assert code == 1 and "already" in err
    assert cocker("network", "disconnect", "back", "web") == (0, "", "") and cocker("network", "disconnect", "back", "web")[0] == 1
    assert cocker("exec", "db", "grep", "-c", "www", "/etc/hosts")[1] == "0\n" and cocker.engine.state("web")["Pid"] == pid
    assert cocker("rm", "-f", "web", "db")[0] == 0 and cocker("network", "rm", "back", "cocker0")[0] == 0


def test_a_volume_from_the_command_line_to_its_end(cocker):
    assert cocker("volume", "create", "-l", "a=b", "--mode", "0750", "data") == (0, "data\n", "")
    assert cocker("volume", "create", "data")[0] == 1
    assert cocker("volume", "ls", "-q", "--filter", "label=a=b")[1] == "data\n"
    assert cocker("create", "--name", "web", "--network", "none", "-v", "data:/data", "box", "true")[0] == 0
    code, _out, err = cocker("volume", "rm", "data")
    assert code == 1 and "web" in err
    assert cocker("container", "rm", "web")[0] == 0
    assert cocker("volume", "rm", "data") == (0, "data\n", "")


def test_a_noun_needs_a_verb(cocker):
    for words in (("network",), ("network", "frob")):
        code, _out, err = cocker(*words)
        assert code == 2 and "create, delete" in err


def test_the_command_lines_of_capsule(cocker, tmp_path):
    (tmp_path / "root").mkdir()
    assert cocker("image", "create", "mine:1", str(tmp_path / "root")) == (0, "mine:1\n", "")
    assert cocker("image", "get", "mine:1", "-f", "{{.Size}}") == (0, "0\n", "")
    assert cocker("image", "delete", "mine:1") == (0, "mine:1\n", "")
    code, out, err = cocker("image", "runc", "box", "sleep 1000", "-id", "web", "-net", "none", "-e", "A=b", "-l", "x=y", "-c", "512", "-d")
    assert (code, err) == (0, "") and len(out) == 65
    assert cocker("state", "-f", "{{.State.Status}} {{.HostConfig.CpuShares}} {{.Config.Labels.x}}", "web")[1] == "running 512 y\n"
    assert cocker("list", "-q")[1] == "web\n"
    code, out, err = cocker("exec", "-detach", "-env", "B=c", "-cwd", "/tmp", "web", "sh", "-c", "echo $A $B; pwd")
    identifier = out.strip()
    assert (code, len(identifier)) == (0, 64)
    assert cocker.engine.lab.run(_ended, cocker.engine.home, "web", identifier)
    assert cocker("log", "web", "-exec", identifier[:12]) == (0, "b c\n/tmp\n", "")
    assert cocker("log", "web", "-exec", "nix")[0] == 1 and cocker("log", "-f", "--exec", "x", "web")[0] == 2
    assert cocker("image", "runc", "-id", "app", "-net", "none", "box", "--", "sh", "-c", "echo hi; exit 3") == (3, "hi\n", "")
    assert cocker("image", "destroyc", "-f", "web") == (0, "web\n", "")
    assert cocker("list") == cocker("ps")


def _ended(home, name, identifier):
    host = open_host(home, dry_run=True)
    return poll.until(lambda: execs.shown(execs.get(host, name, identifier))["FinishedAt"], timeout=30)

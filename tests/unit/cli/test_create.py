# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import create
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def said(*words: str) -> t.Dict[str, t.Any]:
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
    create.shape(parser)
    return create.params(vars(parser.parse_args([*words, "--name", "web", "box", "cmd", "-x"])))


def test_what_is_not_said_is_what_a_task_would_not_say() -> None:
    usual = {name: option.get("default") for name, option in args_container.SPEC.options.items()}
    assert said() == {**usual, "name": "web", "images": ["box"], "command": ["cmd", "-x"]}
    parse_container.wish(said())


@pytest.mark.parametrize(("words", "option", "value"), [
    (["--network", "host"], "network_mode", "host"),
    (["-it"], "tty", True),
    (["--no-init"], "init", False),
    (["--systemd"], "init", "systemd"),
    (["-e", "A=b=c", "--env", "D="], "env", {"A": "b=c", "D": ""}),
    (["-e", "SAID", "-e", "UNSAID"], "env", {"SAID": "here"}),
    (["--add-host", "a:1.2.3.4", "--add-host", "b:fe80::1", "--etc-hosts", "c=1.2.3.5"], "etc_hosts", {"a": "1.2.3.4", "b": "fe80::1", "c": "1.2.3.5"}),
    (["--env-file", "x/../y"], "env_file", [os.path.abspath("y")]),
    (["-v", "./a:/b:ro", "-v", "..:/c", "-v", "v:/d", "-v", "/e"], "volumes",
     [os.path.abspath("a") + ":/b:ro", os.path.abspath("..") + ":/c", "v:/d", "/e"]),
    (["--restart", "always"], "restart_policy", "always"), (["--restart", "on-failure:5"], "restart_retries", 5),
    (["-P"], "publish_all_ports", True), (["--label", "a=b=c", "-l", "d"], "labels", {"a": "b=c", "d": ""}),
    (["--under", "base"], "images", ["base", "box"]),
    (["--device-read-bps", "/dev/sda:1M"], "device_read_bps", [{"path": "/dev/sda", "rate": "1M"}]),
    (["--device-read-iops", "/dev/sda:100"], "device_read_iops", [{"path": "/dev/sda", "rate": 100}]),
])
def test_flags_become_options(words: t.List[str], option: str, value: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAID", "here")
    monkeypatch.delenv("UNSAID", raising=False)
    assert said(*words)[option] == value


def test_networks_and_mounts_have_options_of_their_own() -> None:
    network = said("--network", "net0,ipv4_address=10.0.0.2,aliases=a,aliases=b")["networks"][0]
    assert {key: value for key, value in network.items() if value is not None} == {
        "name": "net0", "ipv4_address": "10.0.0.2", "aliases": ["a", "b"]}
    mount = said("--mount", "type=bind,src=/a,dst=/b,readonly")["mounts"][0]
    assert (mount["type"], mount["source"], mount["target"], mount["read_only"]) == ("bind", "/a", "/b", True)
    parse_container.wish(said("--mount", "type=volume,source=v,target=/b,labels=a=b"))
    (part,) = parse_container.wish(said("--mount", "type=volume,src=v,dst=/b,volume-subpath=a/b")).spec.mounts or ()
    assert (part.source, part.subpath) == ("v", "a/b")
    access = said("--pull", "missing", "--registry", "plain_http,registry_timeout=5", "--registry", "ca_path=")["registry"]
    assert access == {"plain_http": True, "registry_timeout": 5, "validate_certs": True, "ca_path": "", "config_path": None}


@pytest.mark.parametrize("words", [
    ["--add-host", "a"], ["--restart", "on-failure:x"], ["--network", "host", "--network", "net0"], ["--network", "net0,colour=red"], ["--mount", "colour=red"],
    ["--device-read-bps", "/dev/sda"], ["--device-read-iops", "/dev/sda:1M"], ["--mount", "target=/a,read_only=maybe"],
    ["--pull", "missing", "--registry", "registry_timeout=soon"],
], ids=str)
def test_what_is_not_understood_is_said(words: t.List[str]) -> None:
    with pytest.raises(Invalid):
        said(*words)

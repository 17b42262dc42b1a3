# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of ssh: nothing of an address is an option, and the host's key is always asked for."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Reach
from ansible_collections.cocker.engine.plugins.module_utils.registry import sshprogram


def options(argv: t.List[str]) -> t.Dict[str, str]:
    return dict(word.split("=", 1) for flag, word in zip(argv, argv[1:]) if flag == "-o")


def test_address() -> None:
    argv = sshprogram.arguments(Reach(), Address("store", "images", 2222, "/srv"), None)
    assert argv[-8:] == ["-p", "2222", "-l", "images", "-s", "--", "store", "sftp"]
    assert sshprogram.arguments(Reach(), Address("store"), None)[-4:] == ["-s", "--", "store", "sftp"]


def test_nobody_is_asked_and_host_keys_are_checked() -> None:
    found = options(sshprogram.arguments(Reach(), Address("store"), None))
    assert (found["BatchMode"], found["StrictHostKeyChecking"]) == ("yes", "yes")
    assert "UserKnownHostsFile" not in found and "IdentityFile" not in found


def test_what_is_said_is_all_that_counts() -> None:
    found = options(sshprogram.arguments(Reach(identity_path="/k", host_key="ssh-rsa AAAA"), Address("store"), "/tmp/known"))
    assert (found["IdentityFile"], found["IdentitiesOnly"], found["IdentityAgent"]) == ('"/k"', "yes", "none")
    assert (found["UserKnownHostsFile"], found["GlobalKnownHostsFile"]) == ('"/tmp/known"', "/dev/null")
    assert (found["HostKeyAlias"], found["HostKeyAlgorithms"]) == ("cocker-repository", "rsa-sha2-512,rsa-sha2-256")

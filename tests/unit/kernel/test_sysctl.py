# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


@pytest.fixture(params=["openat2", "walk"])
def tree(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    if request.param == "walk":
        monkeypatch.setitem(libc._known, "openat2", False)
    folder = tmp_path / "net" / "ipv4"
    folder.mkdir(parents=True)
    (folder / "ip_forward").write_text("0\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("hostname", "hostname"),
    ],
)
def test_names(name: str, path: str) -> None:
    assert sysctl.path_of(name) == path


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "net..x", "/net/x", "net/../x", "net/./x", "net.x.", "net/x/", "a b", "a+b=c", "a\nb", "a\0b", "caf\u00e9",
        "../x", "net.//.x",
    ],
)
def test_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        sysctl.path_of(name)


def test_value_is_written_and_read_back(tree: pathlib.Path) -> None:
    sysctl.write("net.ipv4.ip_forward", 1, root=str(tree))
    assert sysctl.read("net.ipv4.ip_forward", root=str(tree)) == "1"
    assert (tree / "net/ipv4/ip_forward").read_text() == "1\n"


def test_unknown_parameter_is_an_error_and_is_not_made(tree: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        sysctl.write("net.ipv4.nothing", 1, root=str(tree))
    assert os.listdir(str(tree / "net/ipv4")) == ["ip_forward"]


def test_link_in_place_of_a_parameter_is_not_followed(tree: pathlib.Path) -> None:
    victim = tree / "victim"
    victim.write_text("safe")
    (tree / "net/ipv4/link").symlink_to(victim)
    with pytest.raises(OSError):
        sysctl.write("net.ipv4.link", 1, root=str(tree))
    assert victim.read_text() == "safe"


def test_parameter_of_the_running_kernel() -> None:
    assert sysctl.read("kernel.osrelease") == os.uname().release

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host needs before it is ready, from what was found; and how that is found, in directories that play the host's."""
from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostlook, hostready
from ansible_collections.cocker.engine.plugins.module_utils.engine.hostlook import Found, Places
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Plan
from ansible_collections.cocker.engine.plugins.module_utils.kernel import programs
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CommandWish, ReadyWish

PLACES = hostlook.PLACES
COMMAND = CommandWish("/usr/local/bin/cocker", "/usr/local/bin/cocker-runtime", "/usr/bin/python3", "00ff")
BARE = Found(
    missing=[], missing_commands=[], has_pyroute2=True, interpreter="/usr/bin/python3", is_distribution=True, has_pip=False, is_systemd=True,
    forwarding="0", loadable=["overlay", "veth"], unloaded=["veth"], texts={PLACES.modules: [], PLACES.sysctl: [], PLACES.service: []},
    files={COMMAND.path: "", COMMAND.link: ""}, service=["ActiveState=inactive", "NeedDaemonReload=no"],
)
ALL = ReadyWish(modules=("overlay", "veth"), forwards=True, command=COMMAND, service=True)


def planned(wish: ReadyWish, found: Found) -> Plan:
    return hostready.make_plan(wish, found, PLACES, home="/var/cocker")


def kinds(plan: Plan) -> t.List[t.Tuple[str, str]]:
    return [(action.kind, os.path.basename(action.subject)) for action in plan.actions]


def met(wish: ReadyWish, found: Found) -> Found:
    """The host after the plan."""
    after = planned(wish, found).after
    return found._replace(
        unloaded=[], forwarding="1", texts={path: after.get(path, []) for path in found.texts},
        files={path: after.get(path, "") for path in found.files}, service=hostlook.RUNS)


def test_a_bare_host_gets_all_of_it_in_order() -> None:
    assert kinds(planned(ALL, BARE)) == [
        (hostready.LOAD, "veth"), (hostready.WRITE, "cocker.conf"), (hostready.WRITE, "60-cocker.conf"), (hostready.WRITE, "cocker.service"),
        (hostready.FORWARD, "net.ipv4.ip_forward"), (hostready.INSTALL, "cocker"), (hostready.LINK, "cocker-runtime"), (hostready.START, "cocker.service"),
    ]


def test_the_second_time_there_is_nothing_to_do() -> None:
    assert planned(ALL, met(ALL, BARE)) == Plan()


@pytest.mark.parametrize("change, expected", [
    ({"forwarding": "0"}, [(hostready.FORWARD, "net.ipv4.ip_forward")]),
    ({"service": ["ActiveState=failed", "NeedDaemonReload=no", "UnitFileState=enabled"]}, [(hostready.START, "cocker.service")]),
    ({"files": {COMMAND.path: "0755 aaaa", COMMAND.link: COMMAND.path}}, [(hostready.INSTALL, "cocker")]),
    ({"files": {COMMAND.path: "0755 00ff", COMMAND.link: ""}}, [(hostready.LINK, "cocker-runtime")]),
])
def test_only_what_differs_is_touched(change: t.Dict[str, t.Any], expected: t.List[t.Tuple[str, str]]) -> None:
    assert kinds(planned(ALL, met(ALL, BARE)._replace(**change))) == expected


def test_another_unit_starts_the_service_anew() -> None:
    found = met(ALL, BARE)
    found.texts[PLACES.service][1:] = ["[Unit]"]
    assert kinds(planned(ALL, found)) == [(hostready.WRITE, "cocker.service"), (hostready.START, "cocker.service")]


@pytest.mark.parametrize("wish, found", [
    (ReadyWish(), BARE),
    (ReadyWish(modules=("overlay",)), BARE._replace(loadable=[], unloaded=[])),
])
def test_what_is_not_wanted_or_not_there_is_left_alone(wish: ReadyWish, found: Found) -> None:
    assert planned(wish, found._replace(unloaded=[] if not wish.modules else found.unloaded, loadable=[])) == Plan()


def test_without_systemd_there_is_no_service() -> None:
    plan = planned(ALL, BARE._replace(is_systemd=False))
    assert not {hostready.START} & {kind for kind, _name in kinds(plan)} and PLACES.service not in plan.after


def test_the_unit_names_the_store_and_the_command() -> None:
    lines = hostready.make_plan(ALL, BARE, PLACES, home="/srv/store").after[PLACES.service]
    assert {"Environment=COCKER_HOME=/srv/store", "ExecStart=/usr/local/bin/cocker boot", "RequiresMountsFor=/srv/store"} <= set(lines)


@pytest.mark.parametrize("change, with_pyroute2, incomplete", [
    ({}, True, False), ({"missing": ["libseccomp"]}, True, True), ({"missing_commands": ["busybox"]}, True, True),
    ({"has_pyroute2": False}, True, True), ({"has_pyroute2": False}, False, False),
])
def test_what_makes_a_host_incomplete(change: t.Dict[str, t.Any], with_pyroute2: bool, incomplete: bool) -> None:
    assert hostlook.is_incomplete(BARE._replace(**change), with_pyroute2=with_pyroute2) is incomplete


@pytest.fixture
def places(tmp_path: pathlib.Path) -> Places:
    """A kernel with two modules, one of them loaded, and a third one built in."""
    known = tmp_path / "lib" / platform.release()
    known.mkdir(parents=True)
    (known / "modules.dep").write_text("kernel/fs/overlayfs/overlay.ko.xz:\nkernel/net/nft_chain_nat.ko: kernel/net/nf_tables.ko\n", encoding="utf-8")
    (tmp_path / "sys" / "overlay").mkdir(parents=True)
    (tmp_path / "ip_forward").write_text("0\n", encoding="utf-8")
    return Places(
        modules=str(tmp_path / "etc/modules.conf"), sysctl=str(tmp_path / "etc/sysctl.conf"), service=str(tmp_path / "etc/cocker.service"),
        forwarding=str(tmp_path / "ip_forward"), known_modules=str(tmp_path / "lib"), loaded_modules=str(tmp_path / "sys"),
        booted=str(tmp_path / "none"))


def test_modules_of_this_kernel_are_found_with_a_dash_or_an_underscore(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostlook, "_may_load", lambda: True)
    monkeypatch.setattr(programs, "find", lambda name: "/sbin/" + name)
    found = hostlook.look(ReadyWish(modules=("overlay", "nft-chain-nat", "veth")), places)
    assert (found.loadable, found.unloaded, found.forwarding, found.is_systemd) == (["overlay", "nft-chain-nat"], ["nft-chain-nat"], "0", False)


def test_where_modules_may_not_be_loaded_none_is_missed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostlook, "_may_load", lambda: False)
    assert hostlook.look(ReadyWish(modules=("nft_chain_nat",)), places).unloaded == []


def test_a_command_that_is_not_there_is_told(places: Places) -> None:
    assert hostlook.look(ReadyWish(commands=("sh", "no-such-command")), places).missing_commands == ["no-such-command"]


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's")
def test_a_file_is_its_mode_and_its_digest_and_a_link_what_it_names(tmp_path: pathlib.Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"content")
    path.chmod(0o755)
    link.symlink_to("elsewhere")
    assert [hostlook.file(str(each)) for each in (path, link, tmp_path, tmp_path / "none")] == [
        "0755 " + hashlib.sha256(b"content").hexdigest(), "elsewhere", "", ""]

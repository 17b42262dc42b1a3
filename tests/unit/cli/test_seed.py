# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import seed, seedacts, seedimages, seedlists
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def said(*words: str) -> argparse.Namespace:
    return seed._parser().parse_args(["-a", "create", *words])


def test_every_action_of_the_first_cocker_is_there() -> None:
    containers = "create boot attach run shutdown kill destroy vip port_mapping volume to_container rplfile putfile getfile".split()
    images = "version to_image copy_image del_image export import spush spull install_test".split()
    assert {*containers, *images} == set(seedacts.ACTIONS)
    assert set(seedlists.SHOWS) == {"images", "containers", "container_root", "ssearch"}


def test_options_of_actions_are_options_of_the_command() -> None:
    known = vars(said())
    for action in seedacts.ACTIONS.values():
        assert set(action.needs) | set(action.takes) <= set(known)


@pytest.mark.parametrize(("words", "found"), [
    ((), {}),
    (("--cpu-quota", "30%"), {"cpu_period": 100000, "cpu_quota": 30000}),
    (("--cpu-quota", "5000"), {"cpu_period": 1000000, "cpu_quota": 5000}),
    (("--mem-limit", "100M", "--cpus", "0-1"), {"memory": "100M", "memory_swap": "100M", "cpuset_cpus": "0-1"}),
    (("-e", "/bin/a 'b c'"), {"command": ["/bin/a", "b c"], "entrypoint": [], "init": False}),
], ids=str)
def test_what_a_boot_is_given(words: t.Sequence[str], found: t.Dict[str, t.Any]) -> None:
    assert seedacts.booted(said(*words)) == found


@pytest.mark.parametrize("words", [
    ("--net", "NAT"), ("--net", "BRIDGE"), ("--vip", "10.0.0.1"), ("--cpu-quota", "a third"), ("--cpu-quota", "-1"),
], ids=str)
def test_what_is_refused_before_anything_happens(words: t.Sequence[str]) -> None:
    with pytest.raises(Invalid):
        seedacts.created(said(*words))


@pytest.mark.parametrize(("count", "text"), [
    (0, "0 B"), (1024, "1024 B"), (1025, "1 KB"), (5 << 20, "5 MB"), (3 << 30, "3 GB"), (5 << 42, "20480 GB"), (None, "(unknow)"),
])
def test_sizes_are_whole_numbers_of_1024(count: t.Optional[int], text: str) -> None:
    assert seedlists.size(count) == text


def test_no_version_is_none() -> None:
    assert [seedimages.literal("a"), seedimages.literal("a:1"), seedimages.literal("a", "2")] == ["a:_", "a:1", "a:2"]

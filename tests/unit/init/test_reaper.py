# SPDX-License-Identifier: GPL-3.0-or-later
"""When our PID 1 can live under a system call filter, and how it finds the descriptors that it is handed."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import reaper
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, defaults, seccomp_profile

ALLOW, DENY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
ALL = list(reaper.NEEDED)


@pytest.mark.parametrize(("profile", "can"), [
    (None, False),
    ({"defaultAction": ALLOW}, True),
    ({"defaultAction": ALLOW, "syscalls": [{"names": ["mount"], "action": DENY}]}, True),
    ({"defaultAction": ALLOW, "syscalls": [{"names": ["kill"], "action": DENY}]}, False),
    ({"defaultAction": DENY}, False),
    ({"defaultAction": DENY, "syscalls": [{"names": ALL, "action": ALLOW}]}, True),
    ({"defaultAction": DENY, "syscalls": [{"names": ALL, "action": ALLOW, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}, False),
    ({"defaultAction": DENY, "syscalls": [{"names": ALL[1:], "action": ALLOW}]}, False),
])
def test_filters(profile: t.Optional[t.Dict[str, t.Any]], can: bool) -> None:
    assert reaper.can_live_under(profile) is can


def test_the_default_filter_is_for_pid_1_too() -> None:
    assert reaper.can_live_under(seccomp_profile.default_profile(defaults.CAPABILITIES))


@pytest.mark.parametrize(("unified", "user", "console", "stdio"), [(13, 14, -1, (0, 15, 16)), (-1, -1, 19, (0, 0, 0)), (13, -1, -1, (5, 15, 16))])
def test_descriptors_find_their_places(unified: int, user: int, console: int, stdio: t.Tuple[int, int, int]) -> None:
    links = child.Links([10, 11], [(12, 7)], unified, user, stdio, report=17, console=console, alive=18)
    shape, given = reaper._shape(links)
    got = [17, 99, 18, *given]
    assert reaper.links(tuple(shape), got) == child.Links([], [], unified, user, stdio, report=17, console=console, alive=18)
    assert [got[place] for place in shape.joins] == [10, 11] and [(got[place], flag) for place, flag in shape.spaces] == [(12, 7)]
    assert unified < 0 or got[-1] == unified

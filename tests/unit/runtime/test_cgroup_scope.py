# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, systemd
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory, scope
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import UNIFIED

V2 = cgroupfs.Layout("v2", {"memory": "/sys/fs/cgroup"}, "/sys/fs/cgroup")
HYBRID = cgroupfs.Layout("hybrid", {"memory": "/sys/fs/cgroup/memory"}, "/sys/fs/cgroup/unified")


@pytest.mark.parametrize(("name", "unit"), [
    ("web", "cocker-web.scope"),
    ("calvin=G6", "cocker-calvin\\x3dG6.scope"),
    ("a%2Fb@0A", "cocker-a\\x252Fb\\x400A.scope"),
    ("web-1", "cocker-web\\x2d1.scope"),
    ("ä", "cocker-\\xc3\\xa4.scope"),
])
def test_every_name_makes_a_unit_of_its_own(name: str, unit: str) -> None:
    assert scope.unit(name) == unit


@pytest.mark.parametrize(("layout", "booted", "path"), [
    (V2, True, "/sys/fs/cgroup/cocker.slice/cocker-web.scope/container"),
    (V2, False, "/sys/fs/cgroup/cocker/web"),
    (HYBRID, True, "/sys/fs/cgroup/unified/cocker/web"),
])
def test_where_the_cgroup_is(monkeypatch: pytest.MonkeyPatch, layout: cgroupfs.Layout, booted: bool, path: str) -> None:
    monkeypatch.setattr(systemd, "is_booted", lambda: booted)
    assert factory.open_cgroup("web", layout=layout).paths()[UNIFIED] == path

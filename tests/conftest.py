# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checkout importable as ansible_collections.cocker.engine, however pytest was started, and checks root tests for leaks."""
from __future__ import annotations

import importlib.util
import os
import pathlib
import signal
import sys
import typing as t

import pytest
from hypothesis import HealthCheck, settings

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
TREE = BUILD / "tree"
LINK = TREE / "ansible_collections" / "cocker" / "engine"
TARGET_ANSIBLE = BUILD / "target"


def link(path: pathlib.Path, to: pathlib.Path) -> None:
    """Idempotent, and right when several test runs start at once."""
    if path.is_symlink() and path.resolve() == to.resolve():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("%s.%d" % (path.name, os.getpid()))
    temporary.symlink_to(to, target_is_directory=True)
    temporary.replace(path)


def offer_module_utils_of_ansible() -> None:
    """A managed host's Python has ansible.module_utils and nothing else of Ansible; so do the older Pythons here."""
    installed = sorted((ROOT / ".venv").glob("lib/python3*/site-packages/ansible"))
    if importlib.util.find_spec("ansible") or not installed:
        return
    for name in ("__init__.py", "release.py", "module_utils"):
        link(TARGET_ANSIBLE / "ansible" / name, installed[-1] / name)
    sys.path.append(str(TARGET_ANSIBLE))


# A machine that is busy stops a test for longer than the 200 ms that Hypothesis gives an example.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

link(LINK, ROOT)
for directory in (TREE, ROOT / "tests"):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
offer_module_utils_of_ansible()
signal.signal(signal.SIGINT, signal.default_int_handler)    # a shell that starts something in the background makes it ignore this one

import leakcheck  # noqa: E402  (found through the path set above)


def pytest_collection_modifyitems(items: t.List[pytest.Item]) -> None:
    """Root tests need root; elsewhere they are skipped, and say so."""
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """After each root test everything is as before: mounts, links, rules, cgroups, namespaces, processes."""
    if not request.node.get_closest_marker("root"):
        yield
        return
    before = leakcheck.snapshot(os.getpid())
    yield
    leaks = leakcheck.settled(before, os.getpid())
    if leaks:
        pytest.fail("left behind:\n  " + "\n  ".join(leaks), pytrace=False)

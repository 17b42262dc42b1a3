# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker login`, `push` and `pull` with real registries, at a terminal and without one."""
from __future__ import annotations

import contextlib
import os

import pytest

from ansible_collections.cocker.engine.tests.root import clilab, enginelab, registrylab
from ansible_collections.cocker.engine.tests.root.registrylab import LINE, SAFE

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def registries(lab, tmp_path_factory):
    with registrylab.serving(lab.lab, tmp_path_factory.mktemp("registries")) as found:
        yield found


@pytest.fixture
def cocker(registries, lab, command, tmp_path):
    """With an image `app:1` in its store, which has a megabyte that does not compress."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "data").write_bytes(os.urandom(1 << 20))
    with enginelab.clean(lab) as engine:
        found = clilab.Cocker(engine, command)
        assert found("import", str(tmp_path / "root"), "app:1")[0] == 0
        yield found
        assert found("rmi", "app:1")[0] == 0
        with contextlib.suppress(FileNotFoundError):
            os.unlink(engine.layout.credentials)


def test_somebody_logs_in_pushes_and_logs_out(cocker, registries):
    safe = ("--ca-path", registries.ca)
    code, _out, err = cocker("push", *safe, "app:1", SAFE + "/team/app:1")
    assert code == 1 and "cocker login" in err and SAFE in err
    code, _out, err = cocker("login", *safe, "-u", "ann", "--password-stdin", SAFE, stdin="wrong\n")
    assert code == 1 and "user ann" in err and "wrong" not in err
    assert cocker("login", *safe, "-u", "ann", "--password-stdin", SAFE, stdin="secret\n") == (0, "Login succeeded\n", "")
    assert cocker("login", *safe, "-u", "ann", "--password-stdin", SAFE, stdin="secret\n") == (0, "Already logged in\n", "")
    code, out, _err = cocker("push", *safe, "app:1", SAFE + "/team/app:1")
    assert code == 0 and out.startswith(SAFE + "/team/app:1@sha256:")
    assert cocker("pull", *safe, "--as", "mine:7", SAFE + "/team/app:1") == (0, "mine:7\n", "")
    assert cocker("rmi", "mine:7")[0] == 0
    assert cocker("logout", SAFE) == (0, "Logged out\n", "")
    assert cocker("logout", SAFE) == (0, "Not logged in\n", "")
    assert cocker("push", *safe, "app:1", SAFE + "/team/app:1")[0] == 1


def test_who_sits_at_a_terminal_is_asked_who_they_are(cocker, registries):
    assert cocker("login", SAFE)[0] == 2
    with clilab.seats(cocker) as sit:
        found = sit("login", "--ca-path", registries.ca, SAFE)
        found.expect_exact("Username: ")
        found.sendline("ann")
        found.expect_exact("Password: ")
        found.sendline("secret")
        found.expect_exact("Login succeeded")
        assert b"secret" not in found.before and clilab.code(found) == 0
    assert cocker("logout", SAFE)[0] == 0


def test_what_is_fetched_over_a_slow_line_is_drawn_at_a_terminal(cocker, registries):
    reference = LINE + "/team/app:1"
    code, out, _err = cocker("push", "--plain-http", "app:1", reference)
    assert code == 0 and out.startswith(reference + "@sha256:")
    code, _out, err = cocker("push", "--plain-http", "app:1", reference)
    assert code == 0 and "nothing to do" in err
    assert cocker("rmi", "app:1")[0] == 0       # layers that are there are not fetched
    registries.rules(("GET", "/blobs/", 9, "slow:6"))
    with clilab.seats(cocker) as sit:
        found = sit("pull", "--plain-http", "--as", "app:1", reference)
        found.expect(r"\[=* *>? *\] [0-9.]+[kM]?B/[0-9.]+MB")
        found.expect_exact("\x1b[J")
        found.expect_exact("app:1")
        assert clilab.code(found) == 0

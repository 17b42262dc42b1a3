# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to real registries: with a password over TLS, and with tokens."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import login
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Denied, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Access, LoginWish
from ansible_collections.cocker.engine.tests.root import netlab, registrylab
from ansible_collections.cocker.engine.tests.root.registrylab import SAFE, TOKENS, Registries

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Registries]:
    with netlab.Lab() as lab, registrylab.serving(lab, tmp_path_factory.mktemp("registries")) as found:
        yield found


def wish(registry: str, access: Access, password: str = "secret", **more: t.Any) -> LoginWish:
    return LoginWish(registry, "ann", password, access=access, **more)


def log_in(registries: Registries, home: pathlib.Path, wanted: LoginWish, *, check: bool = False) -> t.Any:
    return registries.lab.run(lambda: login.ensure(open_host(str(home), dry_run=check), wanted))


@pytest.mark.parametrize("registry", [SAFE, TOKENS])
def test_login_is_predicted_made_kept_and_undone(registries: Registries, tmp_path: pathlib.Path, registry: str) -> None:
    home = tmp_path / "home"
    wanted = wish(registry, registries.access(registry))
    predicted = log_in(registries, home, wanted, check=True)
    assert not home.exists()
    made = log_in(registries, home, wanted)
    assert made == predicted and made.changed
    assert "secret" not in repr(made)
    assert made.result["login_result"] == {"registry": registry, "username": "ann", "config_path": str(home / "auth.json")}
    assert stat.S_IMODE((home / "auth.json").stat().st_mode) == 0o600
    for reauthorize in (False, True):
        assert not log_in(registries, home, dataclasses.replace(wanted, reauthorize=reauthorize)).changed
    gone = log_in(registries, home, dataclasses.replace(wanted, state="absent"))
    assert gone.changed and json.loads((home / "auth.json").read_text()) == {"auths": {}}
    assert not log_in(registries, home, dataclasses.replace(wanted, state="absent")).changed


@pytest.mark.parametrize("registry", [SAFE, TOKENS])
@pytest.mark.parametrize("check", [True, False])
def test_wrong_password_is_not_stored(registries: Registries, tmp_path: pathlib.Path, registry: str, check: bool) -> None:
    with pytest.raises(Denied, match="user ann") as caught:
        log_in(registries, tmp_path / "home", wish(registry, registries.access(registry), "hunter2"), check=check)
    assert "hunter2" not in str(caught.value) and not (tmp_path / "home").exists()


def test_password_that_is_no_longer_right_is_found_when_asked(registries: Registries, tmp_path: pathlib.Path) -> None:
    wanted = wish(SAFE, registries.access(SAFE), "former", verify=False)
    assert log_in(registries, tmp_path, wanted).changed
    assert not log_in(registries, tmp_path, wanted).changed
    with pytest.raises(Denied):
        log_in(registries, tmp_path, dataclasses.replace(wanted, verify=True, reauthorize=True))
    changed = log_in(registries, tmp_path, wish(SAFE, registries.access(SAFE)))
    assert changed.plan == {"action": "change", "reasons": ["the password is another one"]} and "secret" not in repr(changed)


def test_file_that_others_can_read_is_protected(registries: Registries, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config.json"
    wanted = wish(SAFE, registries.access(SAFE, auth_path=str(path)))
    log_in(registries, tmp_path, wanted)
    os.chmod(path, 0o644)
    assert log_in(registries, tmp_path, wanted).plan["action"] == "protect"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and not log_in(registries, tmp_path, wanted).changed


@pytest.mark.parametrize("access, hint", [
    (Access(timeout=5), "certificate is not trusted.*ca_path"),
    (Access(timeout=5, plain_http=True), "answers 400"),
], ids=["unknown authority", "plain to TLS"])
def test_registry_that_is_not_reached_as_it_is(registries: Registries, tmp_path: pathlib.Path, access: Access, hint: str) -> None:
    with pytest.raises(Unreachable, match=hint):
        log_in(registries, tmp_path, wish(SAFE, access))


def test_certificate_may_go_unchecked(registries: Registries, tmp_path: pathlib.Path) -> None:
    assert log_in(registries, tmp_path, wish(SAFE, Access(validate_certs=False, timeout=5))).changed


def test_podman_and_we_read_each_other(registries: Registries, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "auth.json")
    registries.skopeo("login", "--authfile", path, "--tls-verify=false", "-u", "ann", "-p", "secret", SAFE)
    wanted = wish(SAFE, registries.access(SAFE, auth_path=path))
    assert not log_in(registries, tmp_path, wanted).changed
    assert registries.skopeo("login", "--authfile", path, "--get-login", SAFE).strip() == "ann"

# SPDX-License-Identifier: BSD-2-Clause
"""cocker_login: the credentials of a registry in a file, after the registry has taken them."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Remote
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ABSENT, LoginWish
from ansible_collections.cocker.engine.plugins.module_utils.registry import authfile
from ansible_collections.cocker.engine.plugins.module_utils.registry.credentials import Credentials

LOG_IN, CHANGE, PROTECT, LOG_OUT = "log in", "change", "protect", "log out"


def ensure(host: Host, wish: LoginWish) -> Outcome:
    """Raises Denied for credentials that the registry does not take, also in check mode: asking changes nothing."""
    path = wish.access.auth_path or host.layout.credentials
    have = authfile.own(path, wish.registry)
    want = None if wish.state == ABSENT else Credentials(wish.username, wish.password)
    plan = _plan(wish.registry, have, want, path)
    if want is not None and wish.verify and (have != want or wish.reauthorize):
        _verify(wish, want)
    execute(plan, lambda action: Step(lambda: authfile.store(path, wish.registry, want)), dry_run=host.dry_run)
    result = {"registry": wish.registry, "username": want.username, "config_path": path} if want else None
    return outcome(plan, {"login_result": result})


def _plan(registry: str, have: t.Optional[Credentials], want: t.Optional[Credentials], path: str) -> Plan:
    """Pure but for the mode of the file. Of a password it is only told that it changes."""
    if want is None and have is None:
        return Plan()
    if want is None and have is not None:
        return _change(LOG_OUT, "state absent is wanted", registry, {"username": have.username}, {"username": None})
    if want is None:
        return Plan()
    if have is None:
        return _change(LOG_IN, "the file has no credentials of the registry", registry, {"username": None}, {"username": want.username})
    if have != want:
        what = "the user" if have.username != want.username else "the password"
        before, after = {"username": have.username}, {"username": want.username}
        if have.password != want.password:
            before["password"], after["password"] = "(the former)", "(another)"
        return _change(CHANGE, "%s is another one" % what, registry, before, after)
    if not authfile.is_private(path):
        return _change(PROTECT, "others can read the file", registry, {"private": False}, {"private": True})
    return Plan()


def _change(kind: str, reason: str, registry: str, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> Plan:
    return Plan(kind, (reason,), (Action(kind, registry),), before, after)


def _verify(wish: LoginWish, credentials: Credentials) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import registries  # TLS and HTTP: not for a login that stands

    with registries.connected(Remote(wish.registry, ""), wish.access, credentials) as client:
        client.ping()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy wants of an entry, and in what the one that is there differs."""
from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import filetree
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.filetree import DIRECTORY, FILE, LINK, Entry, Rules

F = Entry("f", FILE, 0o4750, 5, 6, size=3)
D = Entry("d", DIRECTORY, 0o2755, 5, 6)
L = Entry("l", LINK, 0o777, 5, 6, target="f")


@pytest.mark.parametrize(("entry", "rules", "said"), [
    pytest.param(F, Rules(), (0o4750, None, None), id="the mode is the source's, the owner is left"),
    pytest.param(F, Rules(keep_owner=True), (0o4750, 5, 6), id="the owner is the source's"),
    pytest.param(F, Rules(mode=0o600, directory_mode=0o700), (0o600, None, None), id="a mode for files"),
    pytest.param(D, Rules(mode=0o600, directory_mode=0o700), (0o700, None, None), id="a mode for directories"),
    pytest.param(D, Rules(mode=0o600), (0o2755, None, None), id="which is not that for files"),
    pytest.param(F, Rules(keep_set_ids=False), (0o750, None, None), id="no set-id bits from a container"),
    pytest.param(F, Rules(mode=0o4755, keep_set_ids=False), (0o4755, None, None), id="but those that are asked for"),
    pytest.param(F, Rules(uid=7, keep_owner=True), (0o4750, 7, 6), id="one owner given, the other kept"),
    pytest.param(L, Rules(mode=0o600, uid=7, gid=8), (None, 7, 8), id="a link has no mode"),
])
def test_what_is_wanted(entry: Entry, rules: Rules, said: t.Tuple[t.Any, ...]) -> None:
    found = filetree.ruled(entry, rules)
    assert (found.mode, found.uid, found.gid) == said


def changed(want: Entry, have: t.Optional[Entry], *, same: bool = True, overwrite: bool = False) -> t.Tuple[str, ...]:
    found = filetree.change(want, have, same_content=lambda _want, _have: same, overwrite=overwrite)
    return found.why if found else ()


@pytest.mark.parametrize(("want", "have", "same", "why"), [
    pytest.param(F, F, True, (), id="the same"),
    pytest.param(F, None, True, ("new",), id="missing"),
    pytest.param(F, F, False, ("content",), id="another content of the same size"),
    pytest.param(F, dataclasses.replace(F, size=4), True, ("content",), id="another size, without reading"),
    pytest.param(F, dataclasses.replace(F, mode=0o644), True, ("mode",), id="another mode"),
    pytest.param(F, dataclasses.replace(F, uid=0), True, ("owner",), id="another owner"),
    pytest.param(F, dataclasses.replace(F, gid=0, mode=0), False, ("content", "mode", "owner"), id="everything"),
    pytest.param(dataclasses.replace(F, mode=None, uid=None, gid=None), dataclasses.replace(F, mode=0, uid=1, gid=1), True, (), id="not managed"),
    pytest.param(L, dataclasses.replace(L, target="g"), True, ("content",), id="another target"),
    pytest.param(L, dataclasses.replace(L, uid=0), True, (), id="who owns a link does not matter"),
    pytest.param(F, L, True, ("kind",), id="a link becomes a file"),
    pytest.param(L, F, True, ("kind",), id="a file becomes a link"),
    pytest.param(D, dataclasses.replace(D, mode=0o700), True, ("mode",), id="the mode of a directory"),
])
def test_what_differs(want: Entry, have: t.Optional[Entry], same: bool, why: t.Tuple[str, ...]) -> None:
    assert changed(want, have, same=same) == why


@pytest.mark.parametrize(("want", "have"), [(F, D), (D, F), (D, L), (L, D), (F, Entry("f", "other"))])
def test_other_kinds_are_replaced_only_if_that_is_wanted(want: Entry, have: Entry) -> None:
    with pytest.raises(Conflict, match="overwrite"):
        changed(want, have)
    assert changed(want, have, overwrite=True) == ("kind",)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for whom: only for those that come before it in turn, and for no more of them than have to do with it."""
from __future__ import annotations

import pathlib
import random
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import precedence
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import dependencies, ports
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ImagePull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainersWish, ContainerWish, Member
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

Said = t.Tuple[t.Tuple[str, ...], t.Dict[str, t.Any], t.Dict[str, t.Any]]


def one(*needs: str, wish: t.Optional[t.Dict[str, t.Any]] = None, **spec: t.Any) -> Said:
    return needs, spec, wish or {}


def together(**members: Said) -> ContainersWish:
    made = tuple(Member(ContainerWish(ContainerSpec(name, **{"network_mode": "none", **spec}), **wish), needs)
                 for name, (needs, spec, wish) in members.items())
    return ContainersWish(made, tuple(dependencies.order({each.wish.spec.name: each.needs for each in made}, "depends_on")))


def waits(tmp_path: pathlib.Path, **members: Said) -> t.Dict[str, str]:
    found = precedence.waits(Host(Layout(str(tmp_path))), together(**members))
    return {name: "".join(sorted(before)) for name, before in found.items()}


GONE = {"state": "absent"}
PULL = {"pull": ImagePull("always")}
VOLUME = {"mounts": (Mount("volume", "data", "/data"),)}


def on(*addresses: t.Optional[str], port: t.Optional[str] = None) -> t.Dict[str, t.Any]:
    published = {} if port is None else {"published_ports": ports.parse(port)}
    return {"network_mode": None, "networks": tuple(Attachment("net%d" % number, address) for number, address in enumerate(addresses)), **published}


@pytest.mark.parametrize(("members", "expected"), [
    ({"a": one(), "b": one()}, {"a": "", "b": ""}),
    ({"a": one("b"), "b": one("c"), "c": one()}, {"a": "bc", "b": "c", "c": ""}),
    ({"a": one("b", wish=GONE), "b": one("c"), "c": one(wish=GONE), "d": one()}, {"a": "", "b": "ac", "c": "a", "d": "ac"}),
    ({"a": one(), "b": one(wish={"state": "stopped"})}, {"a": "b", "b": ""}),
    ({"a": one(wish={"from_container": "x"}), "b": one(), "c": one(wish={"volumes_from": (("b", False),)}), "d": one()},
     {"a": "", "b": "a", "c": "ab", "d": "c"}),
    ({"a": one(images=("x:1",)), "b": one(images=("x",), wish=PULL), "c": one(images=("x:2",), wish=PULL), "d": one(images=("y", "x"))},
     {"a": "", "b": "", "c": "b", "d": "b"}),
    ({"a": one(**VOLUME), "b": one(**VOLUME), "c": one(**VOLUME)}, {"a": "", "b": "a", "c": "a"}),
    ({"a": one(mounts=(Mount("bind", "/none/x", "/x", create=True),)), "b": one(mounts=(Mount("bind", "/none/x", "/y"),)),
      "c": one(mounts=(Mount("bind", "/tmp", "/y", create=True),)), "d": one(mounts=(Mount("bind", "/tmp", "/y", create=True),))},
     {"a": "", "b": "a", "c": "", "d": ""}),
    ({"a": one(**on(None)), "b": one(**on("10.0.0.2")), "c": one(**on(None)), "d": one(**on("10.0.0.3"))}, {"a": "", "b": "", "c": "b", "d": ""}),
    ({"a": one(**on(None, "10.0.0.9")), "b": one(**on(None)), "c": one(**on("10.0.0.3", None))}, {"a": "", "b": "", "c": "a"}),
    ({"a": one(**on(port="8000:80")), "b": one(**on(port="80")), "c": one(**on(port="8001:80")), "d": one(publish_all_ports=True)},
     {"a": "", "b": "a", "c": "", "d": "ac"}),
])
def test_who_waits_for_whom(tmp_path: pathlib.Path, members: t.Dict[str, Said], expected: t.Dict[str, str]) -> None:
    assert waits(tmp_path, **members) == expected


def test_nobody_waits_for_who_comes_later(tmp_path: pathlib.Path) -> None:
    """So that nobody waits for ever, whatever is asked for."""
    chance = random.Random(7)
    for _round in range(200):
        names = "abcdefgh"
        members = {}
        for place, name in enumerate(names):
            needs = [need for need in names[place + 1:] if chance.random() < 0.2]
            wish = chance.choice([{}, {}, GONE, {"state": "stopped"}, {"state": "present"}, PULL, {"volumes_from": (("a", True),)}])
            spec = chance.choice([{}, VOLUME, {"images": ("x",)}, on(None), on("10.0.0.2"), on(port="80"), on(port="8000:80")])
            members[name] = one(*needs, wish=wish, **spec)
        wish_all = together(**members)
        in_turn = precedence.sequence(wish_all)
        assert sorted(in_turn) == list(names)
        for name, before in precedence.waits(Host(Layout(str(tmp_path))), wish_all).items():
            assert before <= set(in_turn[:in_turn.index(name)]), members

# SPDX-License-Identifier: BSD-2-Clause
"""PURE: other spellings of the commands: capsule's, and docker's with a noun before (`cocker network ls`).

Not here: what is not only spelled differently (nouns.py), and the first cocker's spellings (seed.py).
"""
from __future__ import annotations

import typing as t

_INSPECT, _LIST, _GONE = ("inspect", "show", "get"), ("ls", "list"), ("rm", "delete")


def _same(noun: str, verbs: t.Iterable[str], *words: str) -> t.Dict[str, t.Tuple[str, ...]]:
    return {"%s %s" % (noun, verb): words for verb in verbs}


def _container() -> t.Dict[str, t.Tuple[str, ...]]:
    own = ("create", "run", "start", "stop", "restart", "kill", "pause", "unpause", "wait", "rename", "exec", "attach", "logs", "cp",
           "commit", "diff", "port", "top", "stats", "update")
    return {"container %s" % verb: (verb,) for verb in own}


ALIASES: t.Dict[str, t.Tuple[str, ...]] = {
    "list": ("ps", "-a"), "state": ("inspect", "--type", "container"), "delete": ("rm",), "log": ("logs",),
    **_container(), **_same("container", _LIST, "ps"), **_same("container", _GONE, "rm"), "container log": ("logs",),
    **_same("container", (*_INSPECT, "state"), "inspect", "--type", "container"), "container prune": ("prune", "--containers"),
    **{"image %s" % verb: (verb,) for verb in ("pull", "push", "tag", "import", "export", "search")},
    **_same("image", _LIST, "images"), **_same("image", _GONE, "rmi"), **_same("image", _INSPECT, "inspect", "--type", "image"),
    "image destroyc": ("rm",), "image prune": ("prune", "--images"),
    **_same("network", _LIST, "networks"), **_same("network", _INSPECT, "inspect", "--type", "network"),
    "network delete": ("network rm",), "network prune": ("prune", "--networks"),
    **_same("volume", _LIST, "volumes"), **_same("volume", _INSPECT, "inspect", "--type", "volume"),
    "system info": ("info",), "system prune": ("prune", "--containers", "--images", "--networks", "--engines", "--litter"),
    "volume delete": ("volume rm",), "volume prune": ("prune", "--volumes"),
}
NOUNS = frozenset(spelling.partition(" ")[0] for spelling in ALIASES if " " in spelling)


def known(words: t.Sequence[str], commands: t.Container[str]) -> t.List[str]:
    """With the command as one word, as the catalogue has it; unchanged if it is none of ours."""
    for count in (2, 1):
        spelling = " ".join(words[:count])
        if spelling in ALIASES:
            return [*ALIASES[spelling], *words[count:]]
    two = " ".join(words[:2])
    return [two, *words[2:]] if words and words[0] in NOUNS and two in commands else list(words)


def verbs(noun: str, commands: t.Iterable[str]) -> t.List[str]:
    return sorted({name.partition(" ")[2] for name in (*ALIASES, *commands) if name.startswith(noun + " ")})

# SPDX-License-Identifier: BSD-2-Clause
"""prune: what nobody needs any more goes, after it was shown and agreed to. Not here: what that is (engine/prune.py)."""
from __future__ import annotations

import argparse
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, render
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import FAILED, OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_prune, parse_prune
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_KINDS = {
    "containers": "containers that do not run", "images": "images that nothing has a name for, or uses",
    "networks": "networks without containers",
    "volumes": "volumes that no container has, with all that is in them", "engines": "copies of the engine that nothing runs from",
    "litter": "what tasks left that were killed",
}
_USUAL = ("containers", "images", "networks", "engines", "litter")
_WITH_FILTERS = ("containers", "images", "networks", "volumes")


def _shape(parser: argparse.ArgumentParser) -> None:
    for kind, what in _KINDS.items():
        parser.add_argument("--" + kind, action="store_true", help=what)
    parser.add_argument("-a", "--all", action="store_true", help="images with a name, too, if no container uses them")
    help = "until=24h, label=KEY[=VALUE], label!=KEY[=VALUE]"
    parser.add_argument("--filter", action="append", default=[], metavar="KEY=VALUE", help=help)
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only show what would go")
    parser.description = "%s\nWithout a kind: %s. Volumes go only by --volumes." % (parser.description, ", ".join(_USUAL))


def _prune(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import prune

    wish = parse_prune.wish(params(vars(said)))
    foreseen = prune.ensure(context.looking(), wish)
    if not foreseen.changed:
        context.complain("nothing to do: all that is there is needed")
        return OK
    if said.dry_run or not said.force:
        _tell(context, foreseen, "would go")
    if said.dry_run:
        return OK
    if not said.force and not _agreed():
        context.complain("nothing was removed")
        return FAILED
    _tell(context, prune.ensure(context.acting(), wish), "removed")
    return OK


def params(said: t.Mapping[str, t.Any]) -> asked.Params:
    """As the module's task would say it. Raises Invalid."""
    kinds = [kind for kind in _KINDS if said[kind]] or list(_USUAL)
    found = asked.params(args_prune.SPEC, **dict.fromkeys(kinds, True))
    given = _filters(said["filter"])
    for kind in _WITH_FILTERS:
        if kind in kinds and given:
            found[kind + "_filters"] = dict(given)
    if said["all"]:
        if "images" not in kinds:
            raise Invalid("--all", "it is about images: say --images, too")
        found["images_filters"] = {**given, "dangling": False}
    return found


def _filters(given: t.Sequence[str]) -> t.Dict[str, t.Any]:
    found: t.Dict[str, t.Any] = {}
    for text in given:
        negated = text.startswith("label!=")
        key, equals, value = ("label!", "=", text[len("label!="):]) if negated else text.partition("=")
        if not equals or key not in (parse_prune.UNTIL, parse_prune.LABEL, parse_prune.NOT_LABEL):
            raise Invalid("--filter", "%r is not until=, label= or label!= with a value" % text)
        if key == parse_prune.UNTIL:
            found[key] = value
        else:
            found.setdefault(key, []).append(value)
    return found


def _tell(context: Context, outcome: Outcome, verb: str) -> None:
    for kind in _KINDS:
        for name in outcome.result.get(kind, ()):
            context.say("%s: %s %s" % (verb, kind[:-1] if kind.endswith("s") else kind, render.printable(name)))
    context.say("space: %s" % render.size(outcome.result["space_reclaimed"]))


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise Invalid("--force", "it is needed where there is no terminal to ask at")
    sys.stderr.write("Remove all that? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "prune": (_shape, _prune),
}

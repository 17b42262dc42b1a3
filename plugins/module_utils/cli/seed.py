# SPDX-License-Identifier: BSD-2-Clause
"""The spellings of the first cocker: `cocker -s SHOW`, `cocker -a ACTION` with one flat set of options.

What each asks for is what a playbook's task would ask for. Says OK and ends with 0, or `*** ERROR : ...` with 255; 7 is wrong usage.
Not here: what is done (seedacts.py) and the listings (seedlists.py).
"""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import seedacts, seedimages, seedlists
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid

USAGE, FAILED = 7, 255
_WORDS = (
    ("-m", "--image", "NAME[:VERSION],..."), ("-c", "--container", "NAME"), ("--version", "VERSION"), ("--host", "HOSTNAME"),
    ("--net", "HOST|BRIDGE|CUSTOM"), ("--host-eth", "INTERFACE"), ("--vip", "ADDRESS"), ("--port-mapping", "OUTSIDE:INSIDE,..."),
    ("--cpus", "LIST"), ("--cpu-quota", "N%|MICROSECONDS"), ("--mem-limit", "N|NM"), ("-e", "--exec", "COMMAND"),
    ("--from-container", "NAME"), ("--to-image", "NAME"), ("--from-image", "NAME"), ("--to-container", "NAME"),
    ("--image-file", "FILE"), ("--srepo", "USER@HOST"), ("--match", "TEXT"), ("--cmd", "COMMAND"), ("--template-file", "PATH"),
    ("--mapping-file", "FILE"), ("--instance-file", "PATH"), ("--src-file", "PATH"), ("--dst-file", "PATH"),
)
_SWITCHES = (("-b", "--boot"), ("-t", "--attach"), ("-h", "--shutdown"), ("-d", "--debug"), ("-f", "--forcely"))


def run(home: str, arguments: t.Sequence[str]) -> int:
    context = Context(home)
    try:
        said = _parser().parse_args(list(arguments))
        if said.s is not None:
            return seedlists.show(context, said.s, said)
        action = seedacts.ACTIONS.get(said.a)
        if action is None:
            raise Invalid("-a", "%r is none of %s" % (said.a, " ".join(sorted(seedacts.ACTIONS))))
        _require(action, said)
        code = action.run(context, said)
    except Invalid as error:
        return _failed(context, "%s: %s" % (error.subject, error.reason), USAGE)
    except (CockerError, PermissionError) as error:
        return _failed(context, str(error), FAILED)
    if code is None:
        context.say("OK")
    return code or 0


def _require(action: seedimages.Action, said: argparse.Namespace) -> None:
    for name in action.needs:
        if getattr(said, name) in (None, []):
            raise Invalid("-a " + said.a, "expect '--%s'" % name.replace("_", "-"))
    goes = {"s", "a", "debug", *action.needs, *action.takes}
    for name, value in vars(said).items():
        if value not in (None, False) and name not in goes:
            raise Invalid("-a " + said.a, "--%s does not go with it" % name.replace("_", "-"))


def _failed(context: Context, text: str, code: int) -> int:
    context.say("*** ERROR : " + text)
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> t.NoReturn:
        raise Invalid("usage", message, hint="cocker --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cocker", add_help=False, allow_abbrev=False)
    parser.add_argument("-s", metavar="SHOW")
    parser.add_argument("-a", metavar="ACTION")
    for *flags, metavar in _WORDS:
        parser.add_argument(*flags, metavar=metavar)
    parser.add_argument("--volume", action="append", metavar="OUTSIDE:INSIDE")
    for flags_ in _SWITCHES:
        parser.add_argument(*flags_, action="store_true")
    return parser

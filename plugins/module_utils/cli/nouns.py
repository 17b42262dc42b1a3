# SPDX-License-Identifier: BSD-2-Clause
"""network create, network rm, volume create, volume rm: the options of cocker_network and cocker_volume as flags.

image create, image runc: the words of capsule, in the order that it has them.
"""
from __future__ import annotations

import argparse
import shlex
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import act, asked, create
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_network, args_volume, parse_network, parse_volume
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Option, Spec
from ansible_collections.cocker.engine.plugins.module_utils.engine import info
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound

_ABOUT_A_TASK = ("name", "state", "force")
_NEXT = {"subnet": "subnet", "gateway": "gateway", "ip_range": "iprange"}     # a flag, and the option of ipam_config
_BLANKS = " \t"


class Noun(t.NamedTuple):
    spec: Spec
    find: t.Callable[[Context, str], t.Sequence[t.Mapping[str, t.Any]]]
    ensure: t.Callable[[Context, t.Dict[str, t.Any]], Outcome]


def _ensure_network(context: Context, params: t.Dict[str, t.Any]) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import networks

    return networks.ensure(context.acting(), parse_network.wish(params))


def _ensure_volume(context: Context, params: t.Dict[str, t.Any]) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import volumes

    return volumes.ensure(context.acting(), parse_volume.wish(params))


NOUNS = {
    "network": Noun(args_network.SPEC, lambda context, name: info.networks(context.looking(), name), _ensure_network),
    "volume": Noun(args_volume.SPEC, lambda context, name: info.volumes(context.looking(), name), _ensure_volume),
}


def _options(noun: str) -> t.Dict[str, Option]:
    return {name: option for name, option in NOUNS[noun].spec.options.items() if name not in _ABOUT_A_TASK}


def _shape_create(noun: str) -> t.Callable[[argparse.ArgumentParser], None]:
    def shape(parser: argparse.ArgumentParser) -> None:
        known = _options(noun)
        if noun == "network":
            parser.add_argument("--driver", "-driver", choices=known.pop("driver")["choices"])
        create.shape_options(parser, known)
        for flag in _NEXT if noun == "network" else ():
            parser.add_argument("--" + flag.replace("_", "-"), "-" + flag, metavar="ADDRESS", dest=flag)
        parser.add_argument("name", metavar="NAME")
    return shape


def _create(noun: str) -> t.Callable[[Context, argparse.Namespace], int]:
    def run(context: Context, said: argparse.Namespace) -> int:
        params = {**create.values_of(NOUNS[noun].spec.options, _options(noun), vars(said)), "name": said.name}
        pieces = {option: getattr(said, flag) for flag, option in _NEXT.items()} if noun == "network" else {}
        if any(pieces.values()):
            params["ipam_config"] = [{"aux_addresses": None, **pieces}, *(params["ipam_config"] or ())]
        if NOUNS[noun].find(context, said.name):
            raise Conflict("create " + noun, said.name, "it exists already", hint="a playbook changes it, cocker %s rm removes it" % noun)
        NOUNS[noun].ensure(context, params)
        context.say(said.name)
        return OK
    return run


def _shape_remove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="no complaint about those that do not exist")
    parser.add_argument("names", nargs="+", metavar="NAME")


def _shape_remove_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--driver", "-driver", metavar="DRIVER", help="only one of this driver")
    _shape_remove(parser)


def _remove(noun: str) -> t.Callable[[Context, argparse.Namespace], int]:
    def run(context: Context, said: argparse.Namespace) -> int:
        def remove(name: str) -> None:
            found = NOUNS[noun].find(context, name)
            if not found and not said.force:
                raise NotFound("remove " + noun, name, "it does not exist")
            driver = getattr(said, "driver", None)
            if found and driver not in (None, found[0]["Driver"]):
                raise Conflict("remove " + noun, name, "its driver is %s" % found[0]["Driver"])
            NOUNS[noun].ensure(context, asked.params(NOUNS[noun].spec, name=name, state="absent"))

        return act.each(context, said.names, remove)
    return run


def _shape_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME[:VERSION]")
    parser.add_argument("path", metavar="ARCHIVE|DIRECTORY")


def _create_image(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import store

    return store.COMMANDS["import"][1](context, argparse.Namespace(path=said.path, name=said.name, format="auto", force=False))


# Of capsule: how it spells them, the flag of run, and what can be done with the value.
_ONCE, _OFTEN, _NUMBER = ({"action": "store"}, {"action": "append"}, {"type": int})
_RUNC: t.Sequence[t.Tuple[t.Sequence[str], str, t.Dict[str, t.Any]]] = (
    (("-id", "--id"), "--name", _ONCE), (("-cwd", "--cwd"), "--working-dir", _ONCE), (("-e", "-env", "--env"), "--env", _OFTEN),
    (("-hostname", "--hostname"), "--hostname", _ONCE), (("-c", "-cpushare", "--cpushare"), "--cpu-shares", _NUMBER),
    (("-m", "-memory", "--memory"), "--memory", _ONCE), (("-net", "-network", "--network"), "--network", _ONCE),
    (("-p", "-port", "--port"), "--publish", _OFTEN), (("-l", "-label", "--label"), "--label", _OFTEN),
    (("-v", "-volume", "--volume"), "--volume", _OFTEN), (("-link", "--link"), "--links", _OFTEN),
)


def _shape_runc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "-detach", "--detach", action="store_true", help="do not stay with it; otherwise it is removed when it ends")
    for spellings, flag, more in _RUNC:
        parser.add_argument(*spellings, dest=flag, metavar="VALUE", help="%s of cocker run" % flag, **more)
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("words", nargs="*", metavar="COMMAND ...", help="behind the options, or behind --")


def runc_words(said: t.Mapping[str, t.Any]) -> t.List[str]:
    """Pure. The command line of `cocker run`; a command in one word is several, as far as it has blanks. Raises Invalid."""
    if not said["--name"]:
        raise Invalid("-id", "it is needed")
    found = ["-d"] if said["detach"] else ["--rm"]
    for _spellings, flag, _more in _RUNC:
        values = said[flag] if isinstance(said[flag], list) else [said[flag]] if said[flag] is not None else []
        found += [word for value in values for word in (flag, str(value))]
    words = list(said["words"])
    return [*found, said["image"], *(shlex.split(words[0]) if len(words) == 1 and set(words[0]).intersection(_BLANKS) else words)]


def _runc(context: Context, said: argparse.Namespace) -> int:
    shape, run = create.COMMANDS["run"]
    parser = argparse.ArgumentParser(prog="cocker run", add_help=False)
    shape(parser)
    return run(context, parser.parse_args(runc_words(vars(said))))


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "network create": (_shape_create("network"), _create("network")),
    "network rm": (_shape_remove_network, _remove("network")),
    "volume create": (_shape_create("volume"), _create("volume")),
    "volume rm": (_shape_remove, _remove("volume")),
    "image create": (_shape_image, _create_image),
    "image runc": (_shape_runc, _runc),
}

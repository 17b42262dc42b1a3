# SPDX-License-Identifier: BSD-2-Clause
"""create, run and update: the options of cocker_container as flags, so that what a playbook can say a command line can say too.

The flags are made from the module's own argument specification. Not here: what they mean (edge/parse_container.py).
"""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, keys
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Option
from ansible_collections.cocker.engine.plugins.module_utils.model import wishes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import NETWORK_MODES, SYSTEMD
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound, StartFailed

_LETTERS = {"env": "-e", "labels": "-l", "memory": "-m", "published_ports": "-p", "user": "-u", "volumes": "-v", "working_dir": "-w",
            "tty": "-t", "interactive": "-i", "publish_all_ports": "-P", "hostname": "-h", "cpu_shares": "-c"}
# What docker's command line calls it, where that is neither the option's name nor an alias.
_ALSO = {"env": ("env",), "labels": ("label",), "published_ports": ("publish",), "volumes": ("volume",), "networks": ("network",),
         "mounts": ("mount",), "etc_hosts": ("add-host",), "restart_policy": ("restart",), "links": ("link",)}
# What is about a container that is there already, or about a task.
_NOT_FLAGS = frozenset((
    "image", "images", "state", "command", "restart", "recreate", "on_change", "healthy_wait_timeout", "detach", "cleanup", "output_logs",
    "comparisons", "image_comparison", "image_name_mismatch", "image_label_mismatch", "command_handling", "keep_volumes", "repin", "paused",
    "force_kill", "kill_signal", "purge_networks", *args_container.PORTED,
))
_NOT_FOUND, _NOT_RUNNABLE = 127, 126
_NO_FILE = os.strerror(errno.ENOENT)
_RATED = {"path", "rate"}
_SPELLED = {"read_only": ("readonly", "ro")}     # inside of a value, as docker's --mount has it
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_NUMBERS: t.Mapping[str, t.Callable[[str], t.Any]] = {"int": int, "float": float}


def options() -> t.Dict[str, Option]:
    return {name: option for name, option in args_container.SPEC.options.items() if name not in _NOT_FLAGS}


def shape(parser: argparse.ArgumentParser) -> None:
    shape_options(parser, options())
    parser.add_argument("--under", action="append", default=[], metavar="IMAGE", help="an image of the stack below IMAGE, bottom first")
    parser.add_argument("--cidfile", metavar="FILE", help="a new file that gets the id")
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")


def shape_options(parser: argparse.ArgumentParser, known: t.Mapping[str, Option]) -> None:
    for name, option in known.items():
        flags = _flags(name, option)
        parser.add_argument(*flags, dest=name, default=None, **_reading(name, option))
        if name == "init":
            parser.add_argument("--systemd", dest=name, action="store_const", const=SYSTEMD, help="boot the image's init system")


def _flags(name: str, option: Option) -> t.List[str]:
    taken = {word for other, words in _ALSO.items() if other != name for word in words}
    words = [name, *_ALSO.get(name, ()), *(alias for alias in option.get("aliases", ()) if alias not in taken)]
    letter = [_LETTERS[name]] if name in _LETTERS else []
    return letter + list(dict.fromkeys("--" + word.replace("_", "-") for word in words))


def _reading(name: str, option: Option) -> t.Dict[str, t.Any]:
    kind = option["type"]
    if kind == "bool" or name == "init":
        return {"action": argparse.BooleanOptionalAction}
    if kind == "list":
        return {"action": "append", "metavar": _shown(option)}
    if kind == "dict":
        return {"action": "append", "metavar": "KEY=VALUE[,KEY=VALUE...]" if "options" in option else "KEY=VALUE"}
    if kind in _NUMBERS:
        return {"type": _NUMBERS[kind], "metavar": "N"}
    choices = option.get("choices")
    return {"choices": choices} if choices else {"metavar": "VALUE"}


def _shown(option: Option) -> str:
    known = option.get("options")
    if known is None:
        return "VALUE"
    return "PATH:RATE" if set(known) == _RATED else "NAME[,KEY=VALUE...]" if "name" in known else "KEY=VALUE[,KEY=VALUE...]"


def params(said: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """As AnsibleModule would give them. Raises Invalid."""
    found = _said(said)
    stack = [*said["under"], said["image"]]
    found.update(images=stack, command=list(said["command"]) or None)
    return found


# Texts as docker's command line has them, as the option takes them.
_READ: t.Mapping[str, t.Callable[[t.List[str]], t.Any]] = {
    "env": asked.environment,
    "env_file": lambda paths: [os.path.abspath(path) for path in paths],
    "etc_hosts": lambda texts: dict(_pair("etc_hosts", text if "=" in text else text.replace(":", "=", 1)) for text in texts),
    "volumes": lambda texts: [_from_here(text) for text in texts],
}


def _from_here(volume: str) -> str:
    """`./data:/data` is below this directory, as in a shell."""
    source, colon, rest = volume.partition(":")
    return os.path.abspath(source) + colon + rest if colon and source.split("/")[0] in (".", "..") else volume


def _said(said: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    found = values_of(args_container.SPEC.options, options(), said)
    _tell_modes_from_networks(found)
    policy, colon, retries = (found["restart_policy"] or "").partition(":")
    if colon:
        if not (retries.isascii() and retries.isdigit()):
            raise Invalid("--restart", "%r is not the number of retries" % retries)
        found.update(restart_policy=policy, restart_retries=int(retries))
    return found


def values_of(every: t.Mapping[str, Option], known: t.Mapping[str, Option], said: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Defaults of every option, and what is said of those that are `known` as flags. Raises Invalid."""
    found: t.Dict[str, t.Any] = {name: option.get("default") for name, option in every.items()}
    for name, option in known.items():
        if said.get(name) is not None:
            found[name] = _READ[name](said[name]) if name in _READ else _value(name, option, said[name])
    return found


def _tell_modes_from_networks(found: t.Dict[str, t.Any]) -> None:
    """`--network host` is a mode, as docker has it."""
    modes = [each["name"] for each in found["networks"] or () if each["name"] in NETWORK_MODES or each["name"].startswith("container:")]
    if modes:
        if len(found["networks"]) > 1 or found["network_mode"] not in (None, modes[0]):
            raise Invalid("--network", "%s is a mode and goes with no other network" % modes[0])
        found.update(network_mode=modes[0], networks=None)


def _value(name: str, option: Option, given: t.Any) -> t.Any:
    if option["type"] == "dict" and "options" in option:
        return _suboptions(name, option["options"], ",".join(given))
    if option["type"] == "dict":
        return dict(_pair(name, text if "=" in text or name != "labels" else text + "=") for text in given)
    if option["type"] == "list" and "options" in option:
        return [_suboptions(name, option["options"], text) for text in given]
    return given


def _pair(name: str, text: str) -> t.Tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Invalid("--" + name.replace("_", "-"), "%r is not KEY=VALUE" % text)
    return key, value


def _suboptions(name: str, known: t.Mapping[str, Option], text: str) -> t.Dict[str, t.Any]:
    """`web0,ipv4_address=10.66.1.10`: the first word is the name, where there is one; `/dev/sda:1M` a path and a rate."""
    flag = "--" + name.replace("_", "-")
    found: t.Dict[str, t.Any] = {key: option.get("default") for key, option in known.items()}
    words = text.split(",")
    if "name" in known:
        found["name"] = words.pop(0)
    elif set(known) == _RATED:
        path, colon, rate = text.rpartition(":")
        if not colon or known["rate"]["type"] == "int" and not (rate.isascii() and rate.isdigit()):
            raise Invalid(flag, "%r is no PATH:RATE" % text)
        return {"path": path, "rate": int(rate) if known["rate"]["type"] == "int" else rate}
    spelled = {word: key for key, option in known.items() for word in (key, *option.get("aliases", ()), *_SPELLED.get(key, ()))}
    for pair in words:
        word, equals, value = pair.partition("=")
        key = spelled.get(word.replace("-", "_"), "")
        if not key:
            raise Invalid(flag, "%r is none of %s" % (word, ", ".join(sorted(known))))
        found[key] = _typed(flag, known[key]["type"], found[key], value if equals else "true")
    return found


def _typed(flag: str, kind: str, former: t.Any, text: str) -> t.Any:
    if kind == "list":
        return [*(former or ()), text]
    if kind == "dict":
        return {**(former or {}), **dict([_pair(flag[2:], text)])}
    if kind == "bool":
        if text not in _BOOLEANS:
            raise Invalid(flag, "%r is neither true nor false" % text)
        return _BOOLEANS[text]
    if kind == "int":
        if not text.lstrip("-").isdecimal():
            raise Invalid(flag, "%r is no whole number" % text)
        return int(text)
    return text


def _shape_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "--detach", action="store_true", help="do not stay with it; prints its id")
    keys.shape(parser)
    shape(parser)


def _wish(said: argparse.Namespace, state: str) -> wishes.ContainerWish:
    given = vars(said)
    return parse_container.wish({**params({**given, "name": given["name"] or _any_name(said.image)}), "state": state})


def _made(context: Context, wish: wishes.ContainerWish, id_file: t.Optional[str]) -> str:
    """Its id."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers

    with _noting(id_file) as note:
        made = containers.ensure(context.acting(), dataclasses.replace(wish, new=True))
        identifier = str(made.result["container"]["Id"])
        note(identifier)
    return identifier


@contextlib.contextmanager
def _noting(path: t.Optional[str]) -> t.Iterator[t.Callable[[str], t.Any]]:
    """Into a file that must not be there before, and is not if nothing came of it. Raises Invalid."""
    if path is None:
        yield lambda _text: None
        return
    try:
        stream = open(path, "x", encoding="ascii")
    except OSError as error:
        raise Invalid("--cidfile", "%s: %s" % (path, error.strerror)) from None
    try:
        with stream:
            yield stream.write
    except BaseException:
        os.unlink(path)
        raise


def _any_name(image: str) -> str:
    """What nobody has to know: the image's own name, and a number."""
    import secrets

    base = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return "%s-%s" % (base.rpartition("=")[2], secrets.token_hex(3))


def _create(context: Context, said: argparse.Namespace) -> int:
    context.say(_made(context, _wish(said, wishes.PRESENT), said.cidfile))
    return OK


def _run(context: Context, said: argparse.Namespace) -> int:
    sits = not said.detach and bool(said.tty or said.interactive)
    if sits and said.tty and not sys.stdin.isatty():
        raise Invalid("--tty", "standard input is no terminal; leave it out, or use --detach")
    detach, wish = keys.parse(said.detach_keys), _wish(said, wishes.STARTED)
    try:
        if said.detach:
            context.say(_made(context, wish, said.cidfile))
            return OK
        return _stay(context, wish, id_file=said.cidfile, sits=sits, detach=detach)
    except StartFailed as error:
        code = _not_run(error)
        if code is None:
            raise
        context.complain(str(error))
        return code


def _not_run(error: StartFailed) -> t.Optional[int]:
    """As a shell says it, and docker: the program is not there, or cannot be run; None for anything else."""
    if not error.reason.startswith("exec "):
        return None
    return _NOT_FOUND if _NO_FILE in error.reason else _NOT_RUNNABLE


def _stay(context: Context, wish: wishes.ContainerWish, *, id_file: t.Optional[str], sits: bool, detach: bytes) -> int:
    """One that goes with its end is kept until it has been told here how it ended, and no longer if we are killed."""
    from ansible_collections.cocker.engine.plugins.module_utils.cli import attach
    from ansible_collections.cocker.engine.plugins.module_utils.engine import ended, waiting

    name = wish.spec.name
    with context.acting().locked(waiting.LOCK, name, shared=True):
        _made(context, wish, id_file)
        try:
            code = attach.seat(context, name, detach=detach, once=True) if sits else attach.watch(context, name)
        except (Conflict, NotFound):        # it has ended already, and all is in its log
            code = attach.watch(context, name)
    if wish.spec.auto_remove:
        ended.settle(context.acting(), name)
    return code


def _shape_update(parser: argparse.ArgumentParser) -> None:
    help = "what the change may cost: live_only no restart (%(default)s), apply one, fail: only what a stopped container takes"
    parser.add_argument("--on-change", choices=["apply", "fail", "live_only"], default="live_only", help=help)
    shape_options(parser, {name: option for name, option in options().items() if name != "name"})
    parser.add_argument("names", nargs="+", metavar="NAME")


def _update(context: Context, said: argparse.Namespace) -> int:
    """What is not said stays as it is, as with a task without images."""
    from ansible_collections.cocker.engine.plugins.module_utils.cli import act
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe

    if all(vars(said)[name] is None for name in options() if name != "name"):
        raise Invalid("COMMAND LINE", "it names no option that is to change")
    wanted = {name: parse_container.wish({**_said({**vars(said), "name": name}), "state": wishes.PRESENT, "on_change": said.on_change})
              for name in said.names}

    def update(name: str) -> None:
        if observe.container(context.acting(), name).status is None:
            raise NotFound("update container", name, "it does not exist")
        containers.ensure(context.acting(), wanted[name])

    return act.each(context, said.names, update)


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "create": (shape, _create),
    "run": (_shape_run, _run),
    "update": (_shape_update, _update),
}

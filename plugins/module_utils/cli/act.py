# SPDX-License-Identifier: BSD-2-Clause
"""start, stop, restart, kill, pause, unpause, wait, rename, rm: on containers that exist.

Each name is printed when it is done; one failure does not hide the others.

A task without images manages only what it says: what these commands do, and nothing else, is what a playbook's task would do.
"""
from __future__ import annotations

import argparse
import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import keys
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import FAILED, OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.model import names, units, wishes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, Invalid, NotFound

Wishes = t.Callable[[str, argparse.Namespace], wishes.ContainerWish]
Every = t.Callable[[Context, t.Sequence[str], t.Callable[[str], None]], int]

_AT_ONCE = 32


def each(context: Context, given: t.Sequence[str], do: t.Callable[[str], None]) -> int:
    code = OK
    for name in given:
        try:
            do(name)
        except CockerError as error:
            context.complain(str(error))
            code = FAILED
        else:
            context.say(name)
    return code


def at_once(context: Context, given: t.Sequence[str], do: t.Callable[[str], None]) -> int:
    """As `each`, side by side: one that takes its time keeps no other waiting. In turn where one is named twice."""
    if len(set(given)) < len(given):
        return each(context, given, do)
    from ansible_collections.cocker.engine.plugins.module_utils.engine import workers

    code = OK
    for name, answer in workers.each(do, given, most=_AT_ONCE):
        if isinstance(answer, Exception):
            context.complain(str(answer))
            code = FAILED
        else:
            context.say(name)
    return code


def _ensured(wish: Wishes, *, running: str = "", every: Every = each) -> t.Callable[[Context, argparse.Namespace], int]:
    """`running`: what is done, where it can be done only to a container that runs."""
    def run(context: Context, said: argparse.Namespace) -> int:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe

        def ensure(name: str) -> None:
            found = observe.container(context.acting(), name)
            if found.status is None:
                raise NotFound("container", name, "it does not exist")
            if running and not found.is_running:
                raise Conflict("%s container" % running, name, "it is %s" % found.status)
            containers.ensure(context.acting(), wanted[name])

        wanted = {name: wish(name, said) for name in (names.object_name(given, "NAME") for given in said.names)}
        return every(context, said.names, ensure)
    return run


def _shape_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--attach", action="store_true", help="stay with it: what it writes, signals to it, its exit code")
    help = "the same, and what is typed here goes to it, if it was made to hear that"
    parser.add_argument("-i", "--interactive", action="store_true", help=help)
    keys.shape(parser)
    _shape_names(parser)


def _start(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import attach

    if not (said.attach or said.interactive):
        return _ensured(_started)(context, said)
    if len(said.names) != 1:
        raise Invalid("NAME", "only one can be stayed with: leave out --attach and --interactive, or the others")
    wish, detach = _started(names.object_name(said.names[0], "NAME"), said), keys.parse(said.detach_keys)
    return attach.started(context, wish, sits=said.interactive, detach=detach)


def _started(name: str, _said: argparse.Namespace) -> wishes.ContainerWish:
    return wishes.ContainerWish(ContainerSpec(name), wishes.STARTED)


def _stopped(name: str, said: argparse.Namespace) -> wishes.ContainerWish:
    number = None if said.signal is None else units.parse_signal(said.signal, "--signal")
    return wishes.ContainerWish(ContainerSpec(name), wishes.STOPPED, stop_within=said.time, kill_signal=number)


def _restarted(name: str, said: argparse.Namespace) -> wishes.ContainerWish:
    return dataclasses.replace(_stopped(name, said), state=wishes.STARTED, restart=True)


def _shape_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME")


def _shape_stop(parser: argparse.ArgumentParser) -> None:
    _shape_time(parser)
    parser.add_argument("-s", "--signal", metavar="SIGNAL", help="in place of the container's own stop signal, this time")
    _shape_names(parser)


def _shape_time(parser: argparse.ArgumentParser) -> None:
    help = "seconds from the stop signal to SIGKILL, this time, instead of the container's own"
    parser.add_argument("-t", "--time", "--timeout", type=int, metavar="SECONDS", help=help)


def _shape_kill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-s", "--signal", default="KILL", metavar="SIGNAL", help="a name or a number")
    _shape_names(parser)


def _kill(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import signals

    number = units.parse_signal(said.signal, "--signal")
    return each(context, said.names, lambda name: signals.send(context.acting(), name, number))


def _wait(context: Context, said: argparse.Namespace) -> int:
    """Docker's: one exit code a line."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, waiting

    code = OK
    for name in said.names:
        try:
            if observe.container(context.looking(), name).status is None:
                raise NotFound("container", name, "it does not exist")
            with context.acting().locked(waiting.LOCK, name, shared=True):
                context.say(str(waiting.wait(context.looking(), name)))
        except CockerError as error:
            context.complain(str(error))
            code = FAILED
    return code


def _shape_rename(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="NAME")
    parser.add_argument("new", metavar="NEW_NAME")


def _rename(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import renaming

    new = names.object_name(said.new, "NEW_NAME")
    return each(context, [names.object_name(said.old, "NAME")], lambda old: renaming.rename(context.acting(), old, new))


def _shape_rm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="also those that run, or do not exist")
    parser.add_argument("-v", "--volumes", action="store_true", help="also its volumes without a name, and what is in them")
    _shape_time(parser)
    _shape_names(parser)


def _remove(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe

    def remove(name: str) -> None:
        found = observe.container(context.acting(), name)
        if found.status is None and not said.force:
            raise NotFound("remove container", name, "it does not exist")
        if found.is_running and not said.force:
            raise Conflict("remove container", name, "it is running", hint="stop it first, or use --force")
        containers.ensure(context.acting(), wishes.ContainerWish(
            ContainerSpec(name), wishes.ABSENT, keep_volumes=not said.volumes, stop_within=said.time))

    return at_once(context, [names.object_name(name, "NAME") for name in said.names], remove)


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "start": (_shape_start, _start),
    "stop": (_shape_stop, _ensured(_stopped, every=at_once)),
    "restart": (_shape_stop, _ensured(_restarted, every=at_once)),
    "kill": (_shape_kill, _kill),
    "pause": (_shape_names, _ensured(lambda name, said: wishes.ContainerWish(ContainerSpec(name), wishes.PAUSED), running="pause")),
    "unpause": (_shape_names, _ensured(lambda name, said: wishes.ContainerWish(ContainerSpec(name), wishes.STARTED), running="unpause")),
    "wait": (_shape_names, _wait),
    "rename": (_shape_rename, _rename),
    "rm": (_shape_rm, _remove),
}

# SPDX-License-Identifier: BSD-2-Clause
"""attach: what a container writes from now on, signals to it, its exit code; or a login shell where it is like a small machine.

Not here: commands beside the container's own (session.py).
"""
from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import follow, keys, session, terminal
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import now
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish

_INSISTED = 3       # a container that does not end by it is left by the third interrupt
_KILLED = 128
_REMOVED = 137      # who removes one that runs kills it


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sig-proxy", action=argparse.BooleanOptionalAction, default=True, help="signals go to the container")
    parser.add_argument("--sig-proxy=false", dest="sig_proxy", action="store_false", help="as docker has it")
    keys.shape(parser)
    parser.add_argument("name", metavar="NAME", help="without a command of its own it gives a login shell")


def _attach(context: Context, said: argparse.Namespace) -> int:
    return attach(context, said.name, detach_keys=said.detach_keys, proxy=said.sig_proxy)


def attach(context: Context, name: str, *, detach_keys: str = keys.USUAL, proxy: bool = True) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import sittings

    detach = keys.parse(detach_keys)
    if sittings.has_seats(context.acting(), name):
        return seat(context, name, detach=detach)
    shell = sittings.login(context.acting(), name)
    if shell is None:
        return watch(context, name, since=now(), proxy=proxy)
    if not sys.stdin.isatty():
        reason = "%s has nothing to attach to but a login shell, which wants a terminal" % name
        raise Invalid("NAME", reason, hint="cocker exec needs none")
    return session.sit(context, shell, interactive=True, detach=detach)


def seat(context: Context, name: str, *, detach: bytes, once: bool = False) -> int:
    """At the container's own streams: its exit code; 0 where they were left by the keys."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import info, sittings

    raw = bool(info.containers(context.looking(), name)[0]["Config"]["Tty"])
    if raw and not sys.stdin.isatty():
        raise Invalid("NAME", "%s has a terminal, and standard input is none" % name, hint="cocker logs -f follows it")
    person = terminal.Person(interactive=True, terminal=raw, detach=detach)
    try:
        with person.seated():
            code = sittings.attach(context.acting(), name, person, once=once)
    except terminal.Gone as gone:
        return _KILLED + gone.number
    if code is None:
        context.complain("left %s, which goes on" % name, amid=True)
    return code or 0


def watch(context: Context, name: str, *, since: str = "", proxy: bool = True) -> int:
    """All that it wrote `since` then, until the container ends: its exit code. A terminal that is gone leaves the container alone."""
    try:
        return _watch(context, name, since=since, proxy=proxy)
    except NotFound:        # whoever has removed it had no time to let us hear how it ended
        return _REMOVED


def _watch(context: Context, name: str, *, since: str, proxy: bool) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import following, signals, waiting

    person = terminal.Person(interactive=False, terminal=False)
    interrupts = 0
    with person.seated(), following.news(context.looking(), name) as news:
        tail = follow.Tail(context.looking(), name, since=since)
        while tail.step():
            news.wait(person.wakeup)
            for number in person.signals():
                interrupts += number in (signal.SIGINT, signal.SIGTERM)
                if number == signal.SIGHUP or interrupts >= _INSISTED or not proxy:
                    return _KILLED + number
                with contextlib.suppress(Conflict, NotFound):       # it has just ended
                    signals.send(context.acting(), name, number)
    return waiting.wait(context.looking(), name)


def started(context: Context, wish: ContainerWish, *, sits: bool, detach: bytes) -> int:
    """Started now, and stayed with; one that runs already is only stayed with. One that goes with its end is told of first."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, ended, info, observe, waiting

    name = wish.spec.name
    if observe.container(context.looking(), name).status is None:
        raise NotFound("container", name, "it does not exist")
    with context.acting().locked(waiting.LOCK, name, shared=True):
        since = now()
        containers.ensure(context.acting(), wish)
        config = info.containers(context.looking(), name)[0]["Config"]
        try:
            code = seat(context, name, detach=detach, once=True) if sits and config["OpenStdin"] else watch(context, name, since=since)
        except (Conflict, NotFound):        # it has ended already, and all is in its log
            code = watch(context, name, since=since)
    ended.settle(context.acting(), name)
    return code


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "attach": (_shape, _attach),
}

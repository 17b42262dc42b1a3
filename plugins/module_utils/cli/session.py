# SPDX-License-Identifier: BSD-2-Clause
"""exec: a command in a container that runs, with a terminal of its own or with the streams of this command.

Not here: the terminal (terminal.py), and containers' own streams (attach.py).
"""
from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, keys, terminal
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_exec, parse_exec, values
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish

_KILLED, _WORKDIR = 128, "--workdir"


def _shape_exec(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--interactive", action="store_true", help="give it this command's standard input")
    parser.add_argument("-t", "--tty", action="store_true", help="give it a terminal of its own")
    help = "do not wait for it; prints an id, and its output goes to a log, which cocker logs --exec shows"
    parser.add_argument("-d", "--detach", "-detach", action="store_true", help=help)
    parser.add_argument("-e", "--env", "-env", action="append", default=[], metavar="KEY[=VALUE]", help="without a value: that of the host")
    parser.add_argument("--env-file", action="append", default=[], metavar="FILE", help="of KEY=VALUE a line; --env wins")
    parser.add_argument("-u", "--user", metavar="USER[:GROUP]")
    parser.add_argument("-w", _WORKDIR, "--cwd", "-cwd", metavar="DIRECTORY")
    keys.shape(parser)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND ...")


def _exec(context: Context, said: argparse.Namespace) -> int:
    if not said.argv:
        raise Invalid("COMMAND", "a program to run is needed")
    env = {**_of_files(said.env_file), **asked.environment(said.env)}
    if said.workdir is not None:
        values.absolute(said.workdir, _WORKDIR)
    params = asked.params(
        args_exec.SPEC, container=said.name, argv=said.argv, env=env, user=said.user, chdir=said.workdir,
        tty=said.tty, detach=said.detach, strip_empty_ends=False,
    )
    wish = dataclasses.replace(parse_exec.task(params).wish, chdir_option=_WORKDIR)
    if not said.detach:
        return sit(context, wish, interactive=said.interactive, detach=keys.parse(said.detach_keys))
    if said.interactive:
        raise Invalid("--interactive", "it cannot go with --detach")
    from ansible_collections.cocker.engine.plugins.module_utils.engine import exec as execution

    context.say(execution.run(context.acting(), wish)["exec_id"])
    return OK


def _of_files(paths: t.Sequence[str]) -> t.Dict[str, str]:
    found: t.Dict[str, str] = {}
    for path in paths:
        from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_process  # few have one

        found.update(parse_process.variables(os.path.abspath(path)))
    return found


def sit(context: Context, wish: ExecWish, *, interactive: bool, detach: bytes) -> int:
    """The command's exit code; 0 where it was left by the keys."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import sittings

    if wish.tty and interactive and not sys.stdin.isatty():
        raise Invalid("--tty", "standard input is no terminal; leave out --tty, or --interactive")
    person = terminal.Person(interactive=interactive, terminal=wish.tty, detach=detach)
    try:
        with person.seated():
            ended = sittings.hold(context.acting(), wish, person)
    except terminal.Gone as gone:
        return _KILLED + gone.number
    if ended.rc is None:
        context.complain("left %s; the command goes on" % wish.container, amid=True)
        return OK
    if ended.error:
        context.complain("exec in container %s: %s" % (wish.container, ended.error))
    return ended.rc


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "exec": (_shape_exec, _exec),
}

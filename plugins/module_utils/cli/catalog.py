# SPDX-License-Identifier: BSD-2-Clause
"""Every command in one table: a word, what it does, where it is. A command's own code is imported when it is run.

Not here: the commands (look.py, act.py and the others).
"""
from __future__ import annotations

import dataclasses
import sys
import typing as t

if t.TYPE_CHECKING:
    import argparse

    from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context

    Run = t.Callable[[Context, argparse.Namespace], int]
    Shape = t.Callable[[argparse.ArgumentParser], None]


@dataclasses.dataclass(frozen=True)
class Command:
    """`load` gives what adds the arguments, and what runs it. `foreign`: its exit code is that of what it ran in a container.

    `group` is empty for one that is only another spelling. `containers` and `images` are the arguments that name some which are there,
    so that an id will do, too.
    """

    group: str
    summary: str
    load: t.Callable[[str], t.Tuple[Shape, Run]]
    foreign: bool = False
    containers: t.Tuple[str, ...] = ()
    images: t.Tuple[str, ...] = ()


def _look(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import look

    return look.COMMANDS[name]


def _act(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import act

    return act.COMMANDS[name]


def _session(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import session

    return session.COMMANDS[name]


def _attach(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import attach

    return attach.COMMANDS[name]


def _create(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import create

    return create.COMMANDS[name]


def _store(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import store

    return store.COMMANDS[name]


def _nouns(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import nouns

    return nouns.COMMANDS[name]


def _wiring(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import wiring

    return wiring.COMMANDS[name]


def _follow(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import follow

    return follow.COMMANDS[name]


def _measure(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import measure

    return measure.COMMANDS[name]


def _prune(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import prune

    return prune.COMMANDS[name]


def _report(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import report

    return report.COMMANDS[name]


def _transfer(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import transfer

    return transfer.COMMANDS[name]


def _power(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import power

    return power.COMMANDS[name]


def _complete(name: str) -> t.Tuple[Shape, Run]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import completion

    return completion.commands({name: command.load for name, command in COMMANDS.items()})[name]


_ONE, _MANY, _IMAGE, _STACK = ("name",), ("names",), ("image",), ("image", "under")     # arguments
_HELP_YIELDS = "resolve"    # -h is a host name where there is one, as docker and podman have it
_WRONG = 2              # a command line that nobody can follow
NOT_ITS_OWN = 125       # a command's exit code would be 0 to 255: docker's for "not even tried"
LOOK, CONTAINERS, IMAGES, OTHERS, HOST, CAPSULE = "Look", "Containers", "Images", "Networks and volumes", "Host", ""

COMMANDS: t.Dict[str, Command] = {
    "ps": Command(LOOK, "List containers", _look),
    "images": Command(LOOK, "List images", _look),
    "networks": Command(LOOK, "List networks", _look),
    "volumes": Command(LOOK, "List volumes", _look),
    "info": Command(LOOK, "Show what this host offers, and what is missing", _look),
    "inspect": Command(LOOK, "Show all that is known of containers, images, networks or volumes", _look),
    "top": Command(LOOK, "Show the processes of a container", _measure, containers=_ONE),
    "stats": Command(LOOK, "Show what containers use, live: CPU, memory, network, disk", _measure, containers=_MANY),
    "diff": Command(LOOK, "Show what a container changed in the files of its images", _measure, containers=_ONE),
    "port": Command(LOOK, "Show where ports of a container are reached on this host", _measure, containers=_ONE),
    "report": Command(LOOK, "Print one document about this host and all on it, for whoever is to help", _report),
    "create": Command(CONTAINERS, "Make a container from an image, without starting it", _create, images=_STACK),
    "run": Command(CONTAINERS, "Make a container from an image, start it, and stay with it", _create, foreign=True, images=_STACK),
    "update": Command(CONTAINERS, "Change options of containers, by default without a restart", _create, containers=_MANY),
    "start": Command(CONTAINERS, "Start containers", _act, containers=_MANY),
    "stop": Command(CONTAINERS, "Stop containers: the stop signal, then SIGKILL", _act, containers=_MANY),
    "restart": Command(CONTAINERS, "Stop containers and start them", _act, containers=_MANY),
    "kill": Command(CONTAINERS, "Send a signal, SIGKILL by default", _act, containers=_MANY),
    "pause": Command(CONTAINERS, "Freeze all processes of containers", _act, containers=_MANY),
    "unpause": Command(CONTAINERS, "Let them go on", _act, containers=_MANY),
    "wait": Command(CONTAINERS, "Wait until containers have ended, and print their exit codes", _act, containers=_MANY),
    "rename": Command(CONTAINERS, "Give a container that does not run another name", _act, containers=("old",)),
    "rm": Command(CONTAINERS, "Remove containers", _act, containers=_MANY),
    "exec": Command(CONTAINERS, "Run a command in a container: -it for a terminal", _session, foreign=True, containers=_ONE),
    "attach": Command(CONTAINERS, "Follow a container, or log in where it is like a small machine", _attach, foreign=True, containers=_ONE),
    "logs": Command(CONTAINERS, "Show what a container wrote", _follow, containers=_ONE),
    "cp": Command(CONTAINERS, "Copy files into a container or out of it", _transfer),
    "pull": Command(IMAGES, "Get an image from a registry or an ssh repository", _store),
    "push": Command(IMAGES, "Put an image into a registry or an ssh repository", _store, images=_IMAGE),
    "search": Command(IMAGES, "List what an ssh repository holds", _store),
    "import": Command(IMAGES, "Make an image from an archive or a directory", _store),
    "export": Command(IMAGES, "Write images into an archive", _store, images=("images",)),
    "commit": Command(IMAGES, "Make an image of what a container has become", _store, containers=_ONE),
    "tag": Command(IMAGES, "Give an image another name", _store, images=_IMAGE),
    "rmi": Command(IMAGES, "Remove images", _store, images=("names",)),
    "login": Command(IMAGES, "Keep the credentials of a registry", _store),
    "logout": Command(IMAGES, "Forget the credentials of a registry", _store),
    "network create": Command(OTHERS, "Make a network: a bridge, or what joins others", _nouns),
    "network rm": Command(OTHERS, "Remove networks that no container uses", _nouns),
    "network connect": Command(OTHERS, "Put a container on one more network, while it runs or not", _wiring, containers=_ONE),
    "network disconnect": Command(OTHERS, "Take a container off a network", _wiring, containers=_ONE),
    "volume create": Command(OTHERS, "Make a volume", _nouns),
    "volume rm": Command(OTHERS, "Remove volumes and what is in them", _nouns),
    "image create": Command(CAPSULE, "Make an image from an archive or a directory, as import does", _nouns),
    "image runc": Command(CAPSULE, "Make a container from an image and start it, as run does", _nouns, foreign=True, images=_IMAGE),
    "prune": Command(HOST, "Remove what nobody needs any more, after asking", _prune),
    "boot": Command(HOST, "Start the containers that their restart policy keeps running, as the host comes up", _power),
    "shutdown": Command(HOST, "Stop all containers, as the host goes down; boot brings them back", _power),
    "completion": Command(HOST, "Print the completion script for bash, zsh or fish", _complete),
}


def run(name: str, arguments: t.Sequence[str], home: str) -> int:
    """Raises CockerError."""
    from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context

    shape, action = COMMANDS[name].load(name)
    parser = _parser(name)
    if not {"-h", "--help"}.isdisjoint(arguments):
        from ansible_collections.cocker.engine.plugins.module_utils.cli import examples

        parser.epilog = examples.shown(name)
    shape(parser)
    try:
        said = parser.parse_args(list(arguments))
    except SystemExit as ended:  # argparse has said why, or shown the help
        return NOT_ITS_OWN if ended.code and COMMANDS[name].foreign else int(ended.code or 0)
    context, command = Context(home), COMMANDS[name]
    if command.containers or command.images:
        from ansible_collections.cocker.engine.plugins.module_utils.cli import named

        named.resolve(context, said, containers=command.containers, images=command.images)
    return action(context, said)


def _parser(name: str) -> argparse.ArgumentParser:
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> t.NoReturn:
            """Without the usage, which for some commands hides the message."""
            self.exit(_WRONG, "%s: %s; see %s --help\n" % (self.prog, message, self.prog))

    summary, layout = COMMANDS[name].summary + ".", argparse.RawDescriptionHelpFormatter
    return Parser(prog="cocker " + name, description=summary, formatter_class=layout, allow_abbrev=False, conflict_handler=_HELP_YIELDS)


# What people type who know docker, where it is more than another spelling.
_ELSEWHERE = {
    "build": "images are built by playbooks, with the role cocker.engine.image_build",
    "save": "cocker export writes images into an archive", "load": "cocker import reads an archive",
    "history": "cocker inspect tells where an image is from, the module cocker_image_info of its layers",
    "events": "cocker ps and cocker logs -f tell what happens; nothing runs that could collect it",
    "compose": "playbooks say which containers there are: the module cocker_containers",
}


def overview() -> int:
    about = "The containers of this host. They run without a daemon, and without this command."
    lines = ["usage: cocker [--home DIRECTORY] COMMAND ...", "", about]
    for group in dict.fromkeys(command.group for command in COMMANDS.values() if command.group):
        lines += ["", group + ":"]
        lines += ["  %-18s %s" % (name, command.summary) for name, command in COMMANDS.items() if command.group == group]
    lines += ["", "A noun may stand before: cocker network ls. The first cocker's spellings (cocker -s images, cocker -a create ...)"]
    lines += ["and capsule's (cocker image runc ...) are understood, too."]
    lines += ["", "cocker COMMAND --help tells more. The store is /var/cocker, or $COCKER_HOME, or --home."]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def version() -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.model.version import VERSION

    sys.stdout.write("cocker %s\n" % VERSION)
    return 0


def suggestion(word: str) -> str:
    import difflib  # only after a slip

    if word in _ELSEWHERE:
        return ": " + _ELSEWHERE[word]
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    return ": did you mean %r?" % close[0] if close else ""

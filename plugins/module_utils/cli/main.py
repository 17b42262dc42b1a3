# SPDX-License-Identifier: BSD-2-Clause
"""The `cocker` command for people logged in on a host: global options, then one command of the catalogue.

Exit codes: 0 done, 1 not done (the reason is on stderr), 2 wrong usage. Commands that end with the code of what they ran in a
container (exec, run, attach) say 125 where it is not that code, 126 for what cannot be run, 127 for what is not there, as docker does.
"""
from __future__ import annotations

import errno
import os
import signal
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import catalog, spelled
from ansible_collections.cocker.engine.plugins.module_utils.cli.catalog import NOT_ITS_OWN
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid

_FIRST_SPELLINGS = frozenset(("-s", "-a"))      # cocker -s images, cocker -a create ...: before any word (seed.py)
DEFAULT_HOME = "/var/cocker"
_BROKEN_PIPE = 128 + signal.SIGPIPE
_INTERRUPTED = 128 + signal.SIGINT


def main(argv: t.Sequence[str]) -> int:
    """The exit code; whatever was asked is on stdout and stderr when it returns."""
    _have_streams()
    for stream in (sys.stdout, sys.stderr):
        t.cast("t.Any", stream).reconfigure(errors="backslashreplace")
    try:
        code = _run(list(argv[1:]))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _forget_output()
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _forget_output()
        sys.stderr.write("cocker: write: %s\n" % error.strerror)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _have_streams() -> None:
    """Whoever has closed one of the three has nothing to say or to hear there, and no file that is opened later gets its number."""
    for fd, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            found = os.open(os.devnull, os.O_RDWR)
            if found != fd:
                os.dup2(found, fd)
                os.close(found)
            os.set_inheritable(fd, True)
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))


def _forget_output() -> None:
    """What is still buffered has no reader either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def packages() -> t.List[str]:
    """Where pyroute2 is kept: by a virtual environment, if this Python is one's, and by the distribution.

    Python was told to look at no site (-S): its .pth files are code that nobody asked for.
    """
    import site  # after the compiled copy has been found

    above = os.path.dirname(os.path.dirname(sys.executable))
    environment = [above] if os.path.exists(os.path.join(above, "pyvenv.cfg")) else []
    return [path for path in site.getsitepackages([*environment, *site.PREFIXES]) if os.path.isdir(path)]


def _run(arguments: t.List[str]) -> int:
    home = os.environ.get("COCKER_HOME") or DEFAULT_HOME
    while arguments and arguments[0].startswith("-"):
        if not arguments[0].startswith("--home") and _FIRST_SPELLINGS.intersection(arguments):
            from ansible_collections.cocker.engine.plugins.module_utils.cli import seed

            return seed.run(home, arguments)
        option, equals, value = arguments.pop(0).partition("=")
        if option in ("-h", "--help"):
            return catalog.overview()
        if option in ("-v", "--version"):
            return catalog.version()
        if option != "--home" or not (equals or arguments):
            return _wrong("unknown option %s; see cocker --help" % option)
        home = value if equals else arguments.pop(0)
    if not arguments or arguments[0] == "help" and len(arguments) == 1:
        return catalog.overview()
    if arguments == ["version"]:
        return catalog.version()
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    noun = arguments[0]
    arguments = spelled.known(arguments, catalog.COMMANDS)
    if arguments[0] in spelled.NOUNS:
        return _wrong("%s is followed by one of %s; see cocker --help" % (noun, ", ".join(spelled.verbs(noun, catalog.COMMANDS))))
    if arguments[0] not in catalog.COMMANDS:
        return _wrong("there is no command %r%s; see cocker --help" % (arguments[0], catalog.suggestion(arguments[0])))
    return _command(arguments, home)


def _command(arguments: t.Sequence[str], home: str) -> int:
    try:
        return catalog.run(arguments[0], arguments[1:], home)
    except Invalid as error:
        code = _wrong("%s: %s%s" % (error.subject, error.reason, " (%s)" % error.hint if error.hint else ""))
        return NOT_ITS_OWN if catalog.COMMANDS[arguments[0]].foreign else code
    except (CockerError, PermissionError) as error:
        _say("cocker: %s\n" % error)
        for also in getattr(error, "cleanup", ()):
            _say("cocker: cleaning up: %s\n" % also)
        if os.geteuid() != 0:
            _say("cocker: containers are made and inspected by root: try sudo\n")
        return NOT_ITS_OWN if catalog.COMMANDS[arguments[0]].foreign else 1


def _wrong(text: str) -> int:
    _say("cocker: %s\n" % text)
    return 2


def _say(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(text)

# SPDX-License-Identifier: BSD-2-Clause
"""`cocker-runtime`: an OCI runtime for other tools, with the command line, the answers and the logs of runc.

Exit codes: 0 done; 1 not done, 255 for `exec`; `run` and `exec` give the process's own. Imports happen where a verb needs them:
most calls only look at a record. Not here: the verbs' options (catalog.py), what they do (the files that are imported below).
"""
from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import catalog, flags, records
from ansible_collections.cocker.engine.plugins.module_utils.oci.report import FORMATS, Report, say

NAME = "cocker-runtime"
_FAILED, _EXEC_FAILED, _NO_VERB = 1, 255, 3
_PREFIXED = ("create", "run", "exec")       # their failures say so, as runc's do


class Call(t.NamedTuple):
    """One command line. `options` are the verb's, by name; unset ones are None, False or []."""

    root: str
    options: flags.Values
    words: t.Sequence[str]
    report: Report
    systemd: bool

    @property
    def id(self) -> str:
        return self.words[0]


def main(argv: t.Sequence[str]) -> int:
    """From the host's own interpreter, for verbs that do not go into a container. The exit code."""
    return _run(list(argv[1:]), protected=False)


def protected(words: t.Sequence[str], *, offer: str = "") -> None:
    """From an interpreter that a container cannot write (cli/protecting.py), for those that do.

    `offer`: where the next call will look for one.
    """
    if offer:
        from ansible_collections.cocker.engine.plugins.module_utils.oci import program
        program.offer(offer)
    code = _run(list(words), protected=True)
    sys.stdout.flush()
    os._exit(code)


def _run(words: t.List[str], *, protected: bool) -> int:
    report = Report()
    verb = ""
    try:
        common, rest = flags.parse(words, catalog.GLOBAL)
        if common["version"]:
            return _version()
        if not rest or common["help"] or rest[0] in ("help", "h"):
            return _help(rest[1:] if rest[:1] in (["help"], ["h"]) else [])
        verb = rest.pop(0)
        report = _report(common)
        if verb not in catalog.VERBS:
            report.error("there is no command %r; see %s --help" % (verb, NAME))
            return _NO_VERB
        if set(rest).intersection(("--help", "-h")) and verb != "exec":
            return _help([verb])
        call = _call(verb, common, rest, report)
        if catalog.VERBS[verb].enters and not protected:
            raise CockerError("this interpreter could be written by the container")     # cli/protecting.py has the way around it
        return _VERBS[verb](call) or 0
    except BrokenPipeError:
        return _FAILED
    except (CockerError, OSError) as error:
        report.error("%s failed: %s" % (verb if verb == "exec" else "%s %s" % (NAME, verb), error) if verb in _PREFIXED else str(error))
        return _EXEC_FAILED if verb == "exec" else _FAILED


def _report(common: flags.Values) -> Report:
    form = common["log-format"] or FORMATS[0]
    if form not in FORMATS:
        raise flags.Usage("unknown log-format %r" % form)
    return Report(common["log"] or "", form, debug=common["debug"])


def _call(verb: str, common: flags.Values, rest: t.Sequence[str], report: Report) -> Call:
    options, words = flags.parse(rest, catalog.VERBS[verb].flags)
    least, most = catalog.VERBS[verb].words
    if len(words) < least or most is not None and len(words) > most:
        wanted = "exactly" if least == most else "a minimum of" if len(words) < least else "a maximum of"
        count = most if len(words) > least and most is not None else least
        raise flags.Usage('%s: "%s" requires %s %d argument(s)' % (NAME, verb, wanted, count))
    root = os.path.abspath(common["root"] or records.DEFAULT_ROOT)
    if words and verb not in ("list", "spec"):
        records.folder(root, words[0])
    return Call(root, options, words, report, common["systemd-cgroup"])


def _version() -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.model.version import VERSION
    say("%s version %s\nspec: %s\n" % (NAME, VERSION, records.OCI_VERSION))
    return 0


def _help(words: t.Sequence[str]) -> int:
    if words and words[0] in catalog.VERBS:
        verb = catalog.VERBS[words[0]]
        say("%s %s [OPTIONS] %s\n%s\n\n" % (NAME, words[0], verb.usage, verb.about))
        shown: t.Sequence[flags.Flag] = verb.flags
    else:
        say("%s [OPTIONS] COMMAND\nAn OCI runtime, as podman, docker and containerd call one.\n\nCommands:\n" % NAME)
        say("".join("  %-10s %s\n" % (name, verb.about) for name, verb in sorted(catalog.VERBS.items())) + "\n")
        shown = catalog.GLOBAL
    if shown:
        names = [flag.name + (", -" + flag.short if flag.short else "") for flag in shown]
        say("Options:\n" + "".join("  --%-18s %s\n" % (name, flag.help) for name, flag in zip(names, shown)))
    return 0


def _create(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import foreground
    foreground.create(call)


def _run_(call: Call) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import foreground
    return foreground.run(call)


def _exec(call: Call) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import enter
    return enter.execute(call)


def _start(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import verbs
    verbs.start(call.root, call.id, call.report.warning)


def _kill(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
    from ansible_collections.cocker.engine.plugins.module_utils.oci import verbs
    word = call.words[1] if len(call.words) > 1 else "TERM"
    signum = 0 if word == "0" else process.signal_number(word)      # 0 asks whether it can be done
    verbs.kill(call.root, call.id, signum, everybody=call.options["all"])


def _pause(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import verbs
    verbs.pause(call.root, call.id)


def _resume(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import verbs
    verbs.resume(call.root, call.id)


def _delete(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import verbs
    verbs.delete(call.root, call.id, call.report.warning, force=call.options["force"])


def _state(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import looking
    looking.state(call.root, call.id, say)


def _list(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import looking
    looking.containers(call.root, say, form=_form(call), quiet=call.options["quiet"])


def _ps(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import looking
    looking.processes(call.root, call.id, call.words[1:], say, form=_form(call))


def _events(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import events
    interval = events.seconds(call.options["interval"])
    events.show(call.root, call.id, _say_now, interval=interval, once=call.options["stats"])


def _say_now(text: str) -> None:
    say(text)
    sys.stdout.flush()


def _features(_call: Call) -> None:
    import json

    from ansible_collections.cocker.engine.plugins.module_utils.oci import features
    say(json.dumps(features.describe(), indent=4) + "\n")


def _update(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import update
    update.update(call.root, call.id, call.options)


def _form(call: Call) -> str:
    form: str = call.options["format"] or "table"
    if form not in ("table", "json"):
        raise flags.Usage("invalid format option")
    return form


def _spec(call: Call) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import template
    template.write(call.options["bundle"] or ".")


_VERBS: t.Dict[str, t.Callable[[Call], t.Optional[int]]] = {
    "create": _create, "run": _run_, "exec": _exec, "start": _start, "kill": _kill, "pause": _pause, "resume": _resume, "delete": _delete,
    "state": _state, "list": _list, "ps": _ps, "spec": _spec, "events": _events, "features": _features,
    "update": _update,
}

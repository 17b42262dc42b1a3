# SPDX-License-Identifier: BSD-2-Clause
"""completion: what bash, zsh and fish want, and the words behind it: commands, flags, names of what is there.

Each shell's script is a few lines that ask `cocker completion words` with the line so far.
"""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import spelled
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError

Shape = t.Callable[[argparse.ArgumentParser], None]
Run = t.Callable[[Context, argparse.Namespace], int]
Loader = t.Callable[[str], t.Tuple[Shape, Run]]

_BASH = r"""# cocker completion bash >/etc/bash_completion.d/cocker
_cocker() {
    local line="${COMP_LINE:0:COMP_POINT}" words last
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    last="${words[${#words[@]}-1]}"
    local IFS=$'\n'
    COMPREPLY=($(cocker completion words -- "${words[@]:1}" 2>/dev/null))
    # Only what is behind a colon is put in.
    [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*:}"}"}")
}
complete -o default -F _cocker cocker"""
_ZSH = r"""#compdef cocker
# cocker completion zsh >/usr/local/share/zsh/site-functions/_cocker
_cocker() {
    local -a found
    found=(${(f)"$(cocker completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
# As a function that was looked for, this file is called; as a line of a startup file it is only read.
if [[ ${funcstack[1]} == _cocker ]]; then _cocker; else compdef _cocker cocker; fi"""
_FISH = r"""# cocker completion fish >/etc/fish/completions/cocker.fish
complete -c cocker -f -a '(cocker completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
WORDS = "words"

# Commands whose words are names of containers, and of images.
_CONTAINERS = frozenset((
    "start", "stop", "restart", "kill", "pause", "unpause", "wait", "rename", "rm", "exec", "attach", "logs", "inspect", "top", "stats",
    "diff", "port", "commit", "update",
))
_IMAGES = frozenset(("create", "run", "tag", "rmi", "push", "export", "inspect"))


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=[*SCRIPTS, WORDS], metavar="{%s}" % ",".join(SCRIPTS))
    parser.add_argument("line", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def commands(known: t.Mapping[str, Loader]) -> t.Dict[str, t.Tuple[Shape, Run]]:
    """`known` is the catalogue: what loads each command."""
    def run(context: Context, said: argparse.Namespace) -> int:
        if said.shell == WORDS:
            context.say(*words(context, known, said.line[1:] if said.line[:1] == ["--"] else said.line))
        else:
            context.say(*SCRIPTS[said.shell].splitlines())
        return OK

    return {"completion": (_shape, run)}


def words(context: Context, known: t.Mapping[str, Loader], line: t.Sequence[str]) -> t.List[str]:
    """What the last word of the line can be."""
    current = line[-1] if line else ""
    if len(line) < 2:
        return [name for name in (*(name for name in known if " " not in name), *sorted(spelled.NOUNS)) if name.startswith(current)]
    if len(line) == 2 and line[0] in spelled.NOUNS:
        return [verb for verb in spelled.verbs(line[0], known) if verb.startswith(current)]
    line = spelled.known(line, known)
    if line[0] not in known:
        return []
    found = _flags(known[line[0]](line[0])[0]) if current.startswith("-") else _names(context, line[0])
    return [word for word in found if word.startswith(current)]


def _flags(shape: Shape) -> t.List[str]:
    parser = argparse.ArgumentParser(conflict_handler="resolve")    # as the catalogue's
    shape(parser)
    return sorted(flag for action in parser._actions for flag in action.option_strings if flag.startswith("--"))


def _names(context: Context, command: str) -> t.List[str]:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import info

    layout = context.looking().layout
    if command in ("network rm", "volume rm"):
        return layout.network_names() if command == "network rm" else layout.volume_names()
    if command in ("network connect", "network disconnect"):
        return layout.network_names() + layout.container_names()
    containers = layout.container_names() if command in _CONTAINERS else []
    try:
        images = [image["RepoTags"][0] for image in info.images(context.looking(), None)] if command in _IMAGES else []
    except CockerError:  # nobody wants to read of a damaged record while typing
        images = []
    others = [*layout.network_names(), *layout.volume_names()] if command == "inspect" else []
    return [*containers, *images, *others]

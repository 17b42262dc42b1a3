# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of the `cocker` command in the shells themselves, with containers to be named. A shell that is not here is passed over."""
from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess

import pexpect
import pytest

from ansible_collections.cocker.engine.tests.root import clilab, enginelab

pytestmark = pytest.mark.root

PROMPT, SHOWN, END = "ready> ", "shown:", "<end>"
# What is typed before the tabulator, and what is there then.
TYPED = (
    ("cocker renam", "cocker rename "), ("cocker rm web-", "cocker rm web-old "), ("cocker rm w", "cocker rm web"), ("cocker rm nobody", "cocker rm nobody"),
    ("cocker rm --for", "cocker rm --force "), ("cocker create bo", "cocker create box:1 "), ("cocker create box:", "cocker create box:1 "),
)
LINES = {
    "cocker renam": {"rename"}, "cocker rm w": {"web", "web-old"}, "cocker rm web-": {"web-old"},
    "cocker rm -": {"--force", "--help", "--time", "--timeout", "--volumes"},
    "cocker create bo": {"box:1"}, "cocker no-such-command x": set(), "cocker rm nobody": set(),
}
BASH = r"""
PS1='ready> '; bind 'set enable-bracketed-paste off' 2>/dev/null; bind 'set bell-style none'
show() { printf 'shown:%s<end>\n' "$READLINE_LINE"; READLINE_LINE=; }; bind -x '"\C-t": show'
"""
ZSH = r"""
PS1='ready> '; unset zle_bracketed_paste; setopt no_beep
show() { zle -I; print -r -- "shown:$BUFFER<end>"; BUFFER=; }; zle -N show; bindkey '^T' show
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found, enginelab.clean(found):
        for name in ("web", "web-old"):
            found.start(name, state="present", network_mode="none")
        yield found


@pytest.fixture(scope="module")
def cocker(lab, tmp_path_factory):
    found = clilab.Cocker(lab, clilab.packed(tmp_path_factory.mktemp("cli")))
    assert found("ps", "-aq") == (0, "web\nweb-old\n", "")
    return found


@pytest.fixture
def env(cocker, tmp_path):
    path = os.path.dirname(cocker.command) + os.pathsep + os.environ["PATH"]
    return {**cocker.env, "PATH": path, "TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}


def needs(shell):
    path = shutil.which(shell)
    if path is None:
        pytest.skip("no %s here" % shell)
    return path


@contextlib.contextmanager
def editor(cocker, env, program, *words):
    """What comes of a line by the tabulator, as the shell's own editor has it."""
    shell = pexpect.spawn(program, list(words), env=env, timeout=60, dimensions=(40, 200), preexec_fn=cocker.engine.lab.enter)

    def typed(line):
        shell.send(line + "\t\x14")
        shell.expect_exact(SHOWN)
        shell.expect_exact(END)
        return shell.before.decode()

    try:
        shell.expect_exact(PROMPT)
        yield typed
    finally:
        shell.close(force=True)


def test_bash(cocker, env, tmp_path):
    (tmp_path / "rc").write_text("%s\nsource <(cocker completion bash)\n" % BASH)
    with editor(cocker, env, needs("bash"), "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i") as typed:
        assert [(line, typed(line)) for line, _wanted in TYPED] == list(TYPED)


@pytest.mark.parametrize("way", ["sourced", "found"])
def test_zsh(cocker, env, tmp_path, way):
    """As a line of a startup file, and as a file where zsh looks for functions."""
    (tmp_path / "_cocker").write_text(cocker("completion", "zsh")[1])
    begin = "autoload -Uz compinit; compinit -u -D\n"
    begin = "fpath=(%s $fpath)\n%s" % (tmp_path, begin) if way == "found" else "%ssource %s/_cocker\n" % (begin, tmp_path)
    (tmp_path / ".zshrc").write_text(begin + ZSH)
    with editor(cocker, env, needs("zsh"), "-i") as typed:
        assert [(line, typed(line)) for line, _wanted in TYPED] == list(TYPED)


def test_fish(cocker, env):
    ask = "cocker completion fish | source; for line in %s; complete -C $line; echo %s; end" % (shlex.join(LINES), shlex.quote(END))
    fish = needs("fish")

    def run():
        return subprocess.run([fish, "--no-config", "-c", ask], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
    done = cocker.engine.lab.run(run)
    answers = [{word.split("\t")[0] for word in answer.split("\n") if word} for answer in done.stdout.split(END + "\n")[:-1]]
    assert done.stderr == "" and dict(zip(LINES, answers)) == LINES

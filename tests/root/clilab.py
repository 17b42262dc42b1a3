# SPDX-License-Identifier: GPL-3.0-or-later
"""The `cocker` command, packed as the role `host` packs it, on the laboratory's host: called, or sat at with a real terminal."""
from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import typing as t

import pexpect

from ansible_collections.cocker.engine.tests.root import enginelab

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPT = "ready> "


def packed(folder: pathlib.Path) -> str:
    target = folder / "cocker"
    subprocess.run([sys.executable, str(ROOT / "roles/host/files/pyz.py"), str(ROOT), str(target), sys.executable], check=True)
    return str(target)


class Cocker:
    """Each call is a process of its own."""

    def __init__(self, engine: enginelab.Engine, command: str) -> None:
        self.engine, self.command = engine, command

    @property
    def env(self) -> t.Dict[str, str]:
        return {"PATH": os.environ["PATH"], "COCKER_HOME": self.engine.home, "TERM": "xterm", "PS1": "outer> "}

    def __call__(self, *words: str, stdin: str = "") -> t.Tuple[int, str, str]:
        def run() -> t.Tuple[int, str, str]:
            done = subprocess.run([self.command, *words], env=self.env, input=stdin, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr
        return self.engine.lab.run(run)

    def start(self, *words: str, **options: t.Any) -> subprocess.Popen[bytes]:
        """One that the lab ends."""
        return self.engine.lab.spawn([self.command, *words], env=self.env, **options)

    def seat(self, *words: str, program: str = "", size: t.Tuple[int, int] = (40, 100)) -> pexpect.spawn:
        """At a terminal of this size; with `program` that one, and not the command itself, is called."""
        enter = self.engine.lab.enter
        return pexpect.spawn(program or self.command, list(words), env=self.env, timeout=20, dimensions=size, preexec_fn=enter)


@contextlib.contextmanager
def seats(cocker: Cocker) -> t.Iterator[t.Callable[..., pexpect.spawn]]:
    """For a fixture: afterwards nobody sits there any more."""
    found: t.List[pexpect.spawn] = []

    def sit(*words: str, **named: t.Any) -> pexpect.spawn:
        found.append(cocker.seat(*words, **named))
        return found[-1]

    try:
        yield sit
    finally:
        for each in found:
            each.close(force=True)


def ask(terminal: pexpect.spawn, line: str) -> str:
    """What a shell that prompts with PROMPT says to one line, without the echo of that."""
    terminal.sendline(line)
    terminal.expect_exact(PROMPT)
    return str(terminal.before.decode().replace("\r\n", "\n").partition("\n")[2].rstrip("\n"))


def code(terminal: pexpect.spawn) -> t.Optional[int]:
    """After its end."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return t.cast("t.Optional[int]", terminal.exitstatus)

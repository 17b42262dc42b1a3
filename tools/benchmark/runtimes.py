# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker-runtime` beside runc and crun: whole commands on one bundle, the interpreter's start included."""
from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing as t

from benchmark import measure
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.tests.root import ocilab

OURS = "cocker-runtime"
OTHERS = ("runc", "crun")
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable       # the host's own, as the role `host` does it
MOST = 60       # ms, for a command that only looks or enters
VERBS: t.Dict[str, t.Tuple[str, ...]] = {"exec of true": ("exec", "x", "true"), "state": ("state", "x"), "ps": ("ps", "x")}
Times = t.Dict[str, t.Dict[str, float]]


def rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    found = stage.lab.run(_measure, stage.path("runtimes"), stage.repeat, timeout=300)

    def row(what: str, target: t.Optional[float]) -> Row:
        beside = ", ".join("%s %s" % (name, "%.1f" % times[what] if what in times else "not run") for name, times in found.items())
        return Row("%s: %s" % (OURS, what), MILLISECONDS, found[OURS][what], target, {}, ("%s, ms: %s" % (what, beside),))

    return [row("run of true", None), *[row(verb, MOST) for verb in VERBS]]


def _measure(folder: str, count: int) -> Times:
    """One after the other, again and again, so that a machine that gets slower does so for all. One that refuses this host is left out."""
    base = pathlib.Path(folder)
    base.mkdir()
    rootfs = ocilab.make_rootfs(base / "rootfs")
    with contextlib.ExitStack() as stack:
        programs = {OURS: ocilab.pack(base / OURS, PYTHON), **{name: shutil.which(name) or "" for name in OTHERS}}
        runtimes = {name: _started(name, program, base, rootfs, stack) for name, program in programs.items() if program}
        ready = {name: runtime for name, runtime in runtimes.items() if runtime is not None}
        found = {what: _medians(ready, words, count) for what, words in VERBS.items()}
        for name, runtime in ready.items():
            runtime.bundle.args("true")
            runtime.bundle.suffix = "-run"
            runtime.bundle.write(name)
        found["run of true"] = _medians(ready, ("run", "y"), count)
    return {name: {what: times[name] for what, times in found.items() if name in times} for name in (OURS, *OTHERS)}


def _started(name: str, program: str, base: pathlib.Path, rootfs: pathlib.Path, stack: contextlib.ExitStack) -> t.Optional[ocilab.Runtime]:
    bundle = ocilab.Bundle(base / ("bundle-" + name), rootfs)
    runtime = ocilab.Runtime(program, pathlib.Path(tempfile.mkdtemp(dir=base)), bundle)
    stack.callback(runtime.close)
    return runtime if runtime.create("x").code == 0 and runtime("start", "x").code == 0 else None


def _medians(runtimes: t.Mapping[str, ocilab.Runtime], words: t.Sequence[str], count: int) -> t.Dict[str, float]:
    times: t.Dict[str, t.List[float]] = {name: [] for name in runtimes}
    for turn in range(count + 1):
        for name, runtime in runtimes.items():
            taken = measure.timed(functools.partial(_call, runtime, words))
            if turn:        # the first one finds nothing in memory
                times[name].append(taken)
    return {name: measure.median(samples) for name, samples in times.items()}


def _call(runtime: ocilab.Runtime, words: t.Sequence[str]) -> None:
    subprocess.run(runtime.command(*words), cwd=runtime.bundle.path, env=dict(runtime.env, HOME=os.environ.get("HOME", "/")),
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

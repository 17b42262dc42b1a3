# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker-runtime` beside runc and crun: whole commands on one bundle, the interpreter's start included."""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

from benchmark import measure
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.tests.root import ocilab

OURS = "cocker-runtime"
OTHERS = ("runc", "crun")
MOST = 60       # ms, for a command that only looks or enters
VERBS: t.Dict[str, t.Tuple[str, ...]] = {"exec of true": ("exec", "x", "true"), "state": ("state", "x"), "ps": ("ps", "x")}
Times = t.Dict[str, t.Dict[str, float]]


def rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    found = stage.lab.run(_measure, stage.path("runtimes"), stage.repeat, timeout=300)

    def row(what: str, target: t.Optional[float]) -> Row:
        beside = ", ".join("%s %s" % (name, "%.1f" % times[what] if what in times else "not here") for name, times in found.items())
        return Row("%s: %s" % (OURS, what), MILLISECONDS, found[OURS][what], target, {}, ("%s, ms: %s" % (what, beside),))

    return [row("run of true", None), *[row(verb, MOST) for verb in VERBS]]


def _measure(folder: str, count: int) -> Times:
    base = pathlib.Path(folder)
    base.mkdir()
    rootfs = ocilab.make_rootfs(base / "rootfs")
    found: Times = {}
    for name in (OURS, *OTHERS):
        program = ocilab.pack(base / OURS) if name == OURS else shutil.which(name)
        found[name] = _times(name, program, base, rootfs, count) if program else {}
    return found


def _times(name: str, program: str, base: pathlib.Path, rootfs: pathlib.Path, count: int) -> t.Dict[str, float]:
    """Empty for a runtime that refuses this host."""
    bundle = ocilab.Bundle(base / ("bundle-" + name), rootfs)
    runtime = ocilab.Runtime(program, pathlib.Path(tempfile.mkdtemp(dir=base)), bundle)
    try:
        if runtime.create("x").code != 0 or runtime("start", "x").code != 0:
            return {}
        found = {what: _median(runtime, words, count) for what, words in VERBS.items()}
        bundle.args("true")
        bundle.suffix = "-run"
        bundle.write(name)
        return dict(found, **{"run of true": _median(runtime, ("run", "y"), count)})
    finally:
        runtime.close()


def _median(runtime: ocilab.Runtime, words: t.Sequence[str], count: int) -> float:
    def call() -> None:
        subprocess.run(runtime.command(*words), cwd=runtime.bundle.path, env=dict(runtime.env, HOME=os.environ.get("HOME", "/")),
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    call()
    return measure.median([measure.timed(call) for _each in range(count)])

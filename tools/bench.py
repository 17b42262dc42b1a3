# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the engine is, side by side with docker and podman where they are installed: one table, one run. Run as root.

    tools/bench.py [--rows ROW,...] [--peers docker,podman] [--repeat N]

Everything happens in the tests' network laboratory and in a temporary directory; see docs/BENCHMARKS.md.
"""
from __future__ import annotations

import argparse
import os
import pathlib
import platform
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / ".build" / "tree"

sys.path.insert(0, str(TREE))


def make_source_tree() -> None:
    """The checkout below the collection's full name, as tests/conftest.py makes it."""
    link = TREE / "ansible_collections" / "cocker" / "engine"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)


make_source_tree()

from benchmark import builds, files, images, lifecycle, many, measure, memory, network, peers, runtimes, stage as stages, tasks, workflows  # noqa: E402

Measure = t.Callable[[stages.Stage, t.Sequence[peers.Peer]], t.List[measure.Row]]

ROWS: t.Dict[str, Measure] = {
    "lifecycle": lifecycle.rows,
    "exec": lifecycle.exec_rows,
    "network": network.rows,
    "many": many.rows,
    "tasks": tasks.rows,
    "builds": builds.rows,
    "workflows": workflows.rows,
    "memory": memory.rows,
    "import": files.import_rows,
    "stack": files.stack_rows,
    "flat": images.flat_rows,
    "list": images.list_rows,
    "pull": images.pull_rows,
    "repository": images.repository_rows,
    "runtime": runtimes.rows,
}


def options(arguments: t.Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=_words(ROWS), default=list(ROWS), metavar="ROW,...", help="of: " + ", ".join(ROWS))
    kinds = {kind.name: kind for kind in peers.KINDS}
    parser.add_argument("--peers", type=_words({*kinds, ""}), default=list(kinds), metavar="PEER,...", help="of: %s; '' is none" % (
        ", ".join(kinds)))
    parser.add_argument("--repeat", type=int, default=12, metavar="N", help="samples of a short measurement (default: %(default)s)")
    return parser.parse_args(arguments)


def _words(known: t.Collection[str]) -> t.Callable[[str], t.List[str]]:
    def words(text: str) -> t.List[str]:
        unknown = [word for word in text.split(",") if word not in known]
        if unknown:
            raise argparse.ArgumentTypeError("unknown: " + ", ".join(unknown))
        return [word for word in text.split(",") if word]

    return words


def install_collection() -> None:
    """Modules are measured as they are used: built and installed."""
    galaxy = pathlib.Path(sys.executable).parent / "ansible-galaxy"
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tasks.COLLECTIONS)}
    subprocess.run(["tools/build_collection.sh", str(galaxy), str(tasks.COLLECTIONS)], env=env, check=True, stdout=subprocess.DEVNULL)


def main(arguments: t.Sequence[str]) -> int:
    wanted = options(arguments)
    if os.geteuid() != 0:
        print("containers are made by root: run as root", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    if {"tasks", "many", "builds", "workflows"} & set(wanted.rows):
        install_collection()
    missing = {kind.name: kind.missing() if kind.name in wanted.peers else "not asked for" for kind in peers.KINDS}
    started = time.monotonic()
    rows: t.List[measure.Row] = []
    with stages.opened(wanted.repeat) as stage, peers.started(stage, [kind for kind in peers.KINDS if not missing[kind.name]]) as there:
        for name in wanted.rows:
            print("measuring %s" % name, file=sys.stderr, flush=True)
            rows += ROWS[name](stage, there)
    print(measure.table(rows, missing))
    for note in (note for row in rows for note in row.notes):
        print("- " + note)
    print("- %s, Linux %s, %d CPUs, load %.1f, %.0f s" % (
        time.strftime("%Y-%m-%d"), platform.release(), os.cpu_count() or 0, os.getloadavg()[0], time.monotonic() - started))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

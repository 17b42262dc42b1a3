# SPDX-License-Identifier: GPL-3.0-or-later
"""Import of a root file system's archive, and a stack of many layers."""
from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import typing as t

from benchmark import measure
from benchmark.measure import MILLISECONDS, TIMES_TAR, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.plugins.module_utils.engine import images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish

SIZE, ENTRIES = 195 * 10 ** 6, 9400
LAYERS = 300
_ROUNDS = 3
_SOURCES = ("lib", "share", "bin", "sbin", "libexec", "include")


def chosen(top: str, *, size: int, entries: int) -> t.List[str]:
    """Paths below `top` that have about this size together: a file is taken while the mean is not too large. Regular files and links."""
    found: t.List[str] = []
    total = 0
    for source in _SOURCES:
        for where, below, files in os.walk(os.path.join(top, source)):
            below.sort()
            for name in sorted(files):
                path = os.path.join(where, name)
                length = os.lstat(path).st_size
                if len(found) >= entries or total + length > size:
                    continue
                if total + length > (len(found) + 1) * size / entries + size / 20:
                    continue
                found.append(os.path.relpath(path, top))
                total += length
    return found


def make_archive(path: str) -> None:
    names = "\0".join(chosen("/usr", size=SIZE, entries=ENTRIES))
    subprocess.run(["tar", "-C", "/usr", "--null", "-T", "-", "-cf", path], input=names.encode("utf-8", "surrogateescape"), check=True)


def import_rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    """Alternating, so that a busy moment of the machine hits all of them."""
    archive, target = stage.path("tree.tar"), stage.path("tree")
    make_archive(archive)
    wish = ImageWish("tree", "1", source="archive", path=archive)
    times: t.Dict[str, t.List[float]] = {}

    def note(who: str, elapsed: float) -> None:
        times.setdefault(who, []).append(elapsed)

    for _round in range(_ROUNDS):
        os.sync()
        os.mkdir(target)
        note("tar", measure.timed(lambda: subprocess.run(["tar", "-C", target, "-xf", archive], check=True)))
        note("tar + sync", times["tar"][-1] + measure.timed(os.sync))
        shutil.rmtree(target)
        os.sync()
        note("cocker", stage.lab.run(_import, stage.home, wish))
        for peer in peers:
            os.sync()
            note(peer.name, stage.lab.run(peer.timed, peer.import_archive(archive, "tree:1"), timeout=120))
            stage.lab.run(peer.timed, peer.command("rmi", "tree:1"), timeout=120)
    os.unlink(archive)
    found = {who: measure.median(elapsed) for who, elapsed in times.items()}
    said = "import, ms: " + ", ".join("%s %.0f" % item for item in found.items())
    ratios: t.Dict[str, t.Optional[float]] = {peer.name: found[peer.name] / found["tar"] for peer in peers}
    what = "import of a tar, %d MB, %d files" % (SIZE // 10 ** 6, ENTRIES)
    return [Row(what, TIMES_TAR, found["cocker"] / found["tar"], 1.2, ratios, (said,))]


def _import(home: str, wish: ImageWish) -> float:
    elapsed = measure.timed(lambda: images.ensure(open_host(home, dry_run=False), wish))
    images.ensure(open_host(home, dry_run=False), dataclasses.replace(wish, state="absent", source=None, path=None))
    return elapsed


def stack_rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    elapsed = stage.lab.run(_mount_stack, stage.path("stack"), stage.repeat)
    return [Row("overlay of %d layers, mounted" % LAYERS, MILLISECONDS, measure.median(elapsed), 10)]


def _mount_stack(top: str, count: int) -> t.List[float]:
    paths = {name: os.path.join(top, name) for name in ("upper", "work", "merged")}
    lower = [os.path.join(top, "layers", "%032d" % number, "diff") for number in range(LAYERS)]
    for path in (*paths.values(), *lower):
        os.makedirs(path)
    found = []
    for _each in range(count):
        found.append(measure.timed(lambda: mounts.overlay(paths["merged"], lower=lower, upper=paths["upper"], work=paths["work"])))
        mounts.umount(paths["merged"])
    return found

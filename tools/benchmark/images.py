# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: out of containers and into them, under other names, many of them, from a registry, through an ssh repository.

Not here: the import of an archive (files.py).
"""
from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import typing as t

from benchmark import measure
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import IMAGE, Stage, ensure

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, image_info, images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import ImageQuery
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Access, Pull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish, ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import layers, records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import netlab, ocilayout, sshlab
from ansible_collections.cocker.engine.tests.root.registrylab import PLAIN, Registries

SIZE, FILES = 512 << 20, 5000
MANY = 1000
LAYERS, LAYER_FILES, LAYER_FILE = 5, 400, 40_000
_ROUNDS = 3
_CREATED = "2026-01-01T00:00:00Z"


def flat_rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    """What must not depend on the size: a writable layer of SIZE bytes becomes an image, and so on."""
    archive = stage.path("written.tar")
    _write_archive(archive)
    samples = [stage.lab.run(_once, stage.home, archive, timeout=300) for _round in range(_ROUNDS)]
    theirs = {peer.name: _peer_commit(stage, peer, archive) for peer in peers}
    os.unlink(archive)
    found = {what: measure.median(sample[what] for sample in samples) for what in samples[0]}
    said = "%d MiB, %d files" % (SIZE >> 20, FILES)
    return [Row("%s, %s" % (what, said), MILLISECONDS, elapsed, 100, theirs if what == "commit" else {}) for what, elapsed in found.items()]


def _write_archive(path: str) -> None:
    tree = path + ".d"
    os.mkdir(tree)
    for number in range(FILES):
        with open(os.path.join(tree, "%04d" % number), "wb") as file:
            file.write(os.urandom(SIZE // FILES))
    subprocess.run(["tar", "-C", tree, "-cf", path, "--remove-files", "."], check=True)


def _once(home: str, archive: str) -> t.Dict[str, float]:
    """Each in a state that the one before has made."""
    spec = ContainerSpec("written", images=(IMAGE,), network_mode="none")
    ensure(home, spec, state="present")
    subprocess.run(["tar", "-C", os.path.join(Layout(home).container("written"), "upper"), "-xf", archive], check=True)
    os.sync()
    flat = ContainerSpec("flat", images=(), network_mode="none")
    found = {
        "commit": _image(home, ImageWish("committed", "1", source="container", from_container="written")),
        "copy": _image(home, ImageWish("copied", "1", source="image", from_image="committed:1")),
        "another version": _image(home, ImageWish("copied", "1", new_version="2")),
        "image to container": _container(home, ContainerWish(flat, state="present", from_image="copied:2")),
        "clone": _container(home, ContainerWish(ContainerSpec("cloned", network_mode="none"), state="present", from_container="flat")),
        "container to image, moved": _image(home, ImageWish("moved", "1", source="container", from_container="flat", mode="move")),
    }
    _remove(home)
    return found


def _image(home: str, wish: ImageWish) -> float:
    return measure.timed(lambda: images.ensure(open_host(home, dry_run=False), wish))


def _container(home: str, wish: ContainerWish) -> float:
    return measure.timed(lambda: containers.ensure(open_host(home, dry_run=False), wish))


def _remove(home: str) -> None:
    for name in ("written", "cloned"):
        ensure(home, ContainerSpec(name), state="absent")
    for name in ("committed", "copied", "moved"):
        _image(home, ImageWish(name, "1", state="absent"))


def _peer_commit(stage: Stage, peer: Peer, archive: str) -> float:
    def run() -> float:
        peer.timed(peer.run("written"))
        with open(archive, "rb") as stream:
            fill = peer.command("exec", "--interactive", "written", "tar", "-x", "-C", "/tmp")
            subprocess.run(fill, env=peer.env, stdin=stream, check=True)
        peer.timed(peer.stop("written"))
        os.sync()
        elapsed = peer.timed(peer.command("commit", "written", "written:1"))
        peer.timed(peer.remove("written"))
        peer.timed(peer.command("rmi", "written:1"))
        return elapsed

    return float(stage.lab.run(run, timeout=300))


def list_rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    home = stage.path("many")
    stage.lab.run(_make_many, home)
    elapsed = stage.lab.run(lambda: [measure.timed(lambda: _list(home)) for _each in range(stage.repeat)])
    return [Row("list of %d images, each with a layer of its own" % MANY, MILLISECONDS, measure.median(elapsed), 300)]


def _list(home: str) -> None:
    if len(image_info.query(open_host(home, dry_run=True), ImageQuery())["images"]) != MANY:
        raise netlab.LabError("there are not %d images" % MANY)


def _make_many(home: str) -> None:
    layout = Layout(home)
    layout.ensure()
    for number in range(MANY):
        layer = layers.Layer("%032x" % number, _CREATED, 1000, 10)
        os.makedirs(layout.diff(layer.id))
        records.write(layout.layer_record(layer.id), dataclasses.asdict(layer), durable=False)
        called = ("image%d" % (number // 10), str(number % 10))
        record = ImageRecord(*called, (layer.id,), ImageConfig(), _CREATED, Provenance("directory"), 1000)
        os.makedirs(os.path.dirname(layout.image(record.name, record.version)))
        records.write(layout.image(record.name, record.version), record.to_json(), durable=False)


def pull_rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    """From a registry on the lab's own loopback; alternating, so that a busy moment of the machine hits all of them."""
    folder = pathlib.Path(stage.path("registries"))
    folder.mkdir()
    registries = Registries(stage.lab, folder)
    registries.start()
    layout = ocilayout.Layout(folder / "oci")
    contents = [{"%d/%d" % (layer, number): os.urandom(LAYER_FILE // 2) + bytes(LAYER_FILE // 2) for number in range(LAYER_FILES)}
                for layer in range(LAYERS)]
    registries.skopeo("copy", "--quiet", "--dest-tls-verify=false", layout.save(layout.image(contents)), "docker://%s/five:1" % PLAIN)
    times: t.Dict[str, t.List[float]] = {}
    for _round in range(_ROUNDS):
        os.sync()
        times.setdefault("cocker", []).append(stage.lab.run(_pull, stage.home))
        for peer in peers:
            os.sync()
            times.setdefault(peer.name, []).append(_peer_pull(stage, peer))
    found = {who: measure.median(elapsed) for who, elapsed in times.items()}
    what = "pull of %d layers, %d MB, from a registry" % (LAYERS, LAYERS * LAYER_FILES * LAYER_FILE // 10 ** 6)
    return [Row(what, MILLISECONDS, found.pop("cocker"), round(found["podman"]) if "podman" in found else None, found)]


def _pull(home: str) -> float:
    remote = distribution.parse_remote(PLAIN + "/five:1", "reference")
    elapsed = _image(home, ImageWish("five", "1", source="registry", pull=Pull(remote, access=Access(plain_http=True))))
    _image(home, ImageWish("five", "1", state="absent"))
    return elapsed


def _peer_pull(stage: Stage, peer: Peer) -> float:
    image = PLAIN + "/five:1"
    elapsed = stage.lab.run(peer.timed, peer.pull(image), timeout=120)
    stage.lab.run(peer.timed, peer.command("rmi", image), timeout=120)
    return float(elapsed)


def repository_rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    """Over a real sshd on the lab's loopback, the log in included. Whole, then with one small layer more, then with nothing to do."""
    folder = pathlib.Path(stage.path("ssh"))
    (folder / "repository").mkdir(parents=True)
    with sshlab.serving(stage.lab, folder) as server:
        reach = server.reach(folder / "repository")
        ours, other = sshlab.Store(server, folder / "home", reach), sshlab.Store(server, folder / "other", reach)
        ours.make("base:1", {str(number): os.urandom(LAYER_FILE) for number in range(LAYERS * LAYER_FILES)})
        ours.make("app:1", {"small": b"1"}, over="base:1")
        calls: t.Sequence[t.Tuple[str, t.Callable[[], object]]] = (
            ("push", lambda: ours.push("base:1")), ("push of one small layer more", lambda: ours.push("app:1")),
            ("push, nothing to do", lambda: ours.push("app:1")), ("pull", lambda: other.pull("base:1")),
            ("pull of one small layer more", lambda: other.pull("app:1")),
            ("pull, nothing to do", lambda: other.pull("app:1", policy="always")),
        )
        size = LAYERS * LAYER_FILES * LAYER_FILE // 10 ** 6
        return [Row("ssh repository, %d MB: %s" % (size, what), MILLISECONDS, measure.timed(call)) for what, call in calls]

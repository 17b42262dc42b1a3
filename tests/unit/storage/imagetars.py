# SPDX-License-Identifier: GPL-3.0-or-later
"""docker-archives and OCI layouts, made by hand: also such as no engine writes."""
from __future__ import annotations

import gzip
import hashlib
import json
import typing as t

from ansible_collections.cocker.engine.tests.unit.storage import tars

Files = t.Dict[str, bytes]

CONFIG: t.Dict[str, t.Any] = {"Cmd": ["/bin/sh"], "Env": ["A=b"], "Labels": {"made": "by hand"}}
LAYER, MANIFEST = "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.manifest.v1+json"
INDEX, OCI_CONFIG = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.config.v1+json"


def sha(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def dump(value: t.Any) -> bytes:
    return json.dumps(value).encode()


def config(layers: t.Sequence[bytes], **more: t.Any) -> bytes:
    return dump({
        "architecture": "amd64", "os": "linux", "created": "2024-02-03T04:05:06Z", "config": CONFIG,
        "rootfs": {"type": "layers", "diff_ids": [sha(layer) for layer in layers]},
        "history": [{"created_by": "layer %d" % place} for place in range(len(layers))], **more})


def docker(layers: t.Sequence[bytes], *, names: t.Sequence[str] = ("app:1.0",), **more: t.Any) -> Files:
    """Changes of the config, or `config=` its bytes."""
    raw = more.pop("raw", None) or config(layers, **more)
    paths = ["%s/layer.tar" % sha(layer)[7:] for layer in layers]
    entry = {"Config": sha(raw)[7:] + ".json", "RepoTags": list(names), "Layers": paths}
    return {**dict(zip(paths, layers)), entry["Config"]: raw, "manifest.json": dump([entry])}  # type: ignore[dict-item]


def merged(*images: Files) -> Files:
    """Several images in one docker-archive."""
    found: Files = {}
    entries: t.List[t.Any] = []
    for image in images:
        found.update(image)
        entries += json.loads(image["manifest.json"])
    return {**found, "manifest.json": dump(entries)}


def blob(files: Files, content: bytes, media_type: str, **more: t.Any) -> t.Dict[str, t.Any]:
    files["blobs/sha256/" + sha(content)[7:]] = content
    return {"mediaType": media_type, "digest": sha(content), "size": len(content), **more}


def oci_manifest(files: Files, layers: t.Sequence[bytes], *, packed: bool = True, **more: t.Any) -> t.Dict[str, t.Any]:
    """The descriptor of a manifest whose blobs are put into `files`."""
    stored = [gzip.compress(layer, mtime=0) if packed else layer for layer in layers]
    return blob(files, dump({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": blob(files, config(layers, **more), OCI_CONFIG),
        "layers": [blob(files, layer, LAYER + ("+gzip" if packed else "")) for layer in stored]}), MANIFEST)


def layout(files: Files, *entries: t.Dict[str, t.Any]) -> Files:
    return {"oci-layout": dump({"imageLayoutVersion": "1.0.0"}), "index.json": dump({"schemaVersion": 2, "manifests": list(entries)}), **files}


def oci(layers: t.Sequence[bytes], **more: t.Any) -> Files:
    files: Files = {}
    return layout(files, oci_manifest(files, layers, **more))


def index(files: Files, *entries: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    return blob(files, dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}), INDEX)


def platform(entry: t.Dict[str, t.Any], architecture: str, **more: str) -> t.Dict[str, t.Any]:
    return {**entry, "platform": {"os": "linux", "architecture": architecture, **more}}


def named(entry: t.Dict[str, t.Any], name: str) -> t.Dict[str, t.Any]:
    return {**entry, "annotations": {"org.opencontainers.image.ref.name": name}}


def packed(files: Files) -> bytes:
    return tars.archive(*[tars.file(name.encode(), content) for name, content in files.items()])

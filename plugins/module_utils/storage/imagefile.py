# SPDX-License-Identifier: BSD-2-Clause
"""Which image a docker-archive or an OCI layout holds, and where its layers are in it. Everything is checked before anything is unpacked.

Not here: reading members (members.py), and unpacking layers (importlayer.py).
"""
from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, oci_image
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Platform
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import DOCKER, OCI
from ansible_collections.cocker.engine.plugins.module_utils.storage import importlayer, members
from ansible_collections.cocker.engine.plugins.module_utils.storage.members import Members

_MANIFEST, _INDEX, _LAYOUT = "manifest.json", "index.json", "oci-layout"
# What the first member of an archive of images is called; a root file system has none of these at its top.
_TOPS = re.compile(r"(manifest\.json|repositories|oci-layout|index\.json|blobs(/.*)?|(sha256:)?[0-9a-f]{64}(\.json|\.tar|/.*)?)\Z")
_NAMED = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json|\.tar)?\Z")
NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MOST_IMAGES = 1024
_MOST_NAMES = 32
_OPTION = "archive_image"


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which of several images: one of its names, or its digest; and for what platform."""

    platform: Platform
    image: t.Optional[str] = None


@dataclasses.dataclass(frozen=True)
class LayerSource:
    name: str
    expected: importlayer.Expected


@dataclasses.dataclass(frozen=True)
class Found:
    """`digest` is that of the config, which names the layers by their digests: all of the content."""

    digest: str
    document: oci_image.Document
    layers: t.Tuple[LayerSource, ...]


def looks_like_images(first: str) -> bool:
    return bool(_TOPS.match(first))


def format_of(found: Members) -> t.Optional[str]:
    """By its documents; None for what is none of the two."""
    if found.find(_LAYOUT) is not None and found.find(_INDEX) is not None:
        return OCI
    return DOCKER if found.find(_MANIFEST) is not None else None


def find(found: Members, form: str, choice: Choice) -> Found:
    """Raises Damaged, Unsupported, Invalid where it must be said which image, NotFound for a platform that is not there."""
    return _FORMATS[form](found, choice)


def _docker(found: Members, choice: Choice) -> Found:
    value = distribution.parse_json(members.read(found, _MANIFEST), _MANIFEST)
    if not isinstance(value, list) or not value or len(value) > _MOST_IMAGES:
        raise Damaged("read", _MANIFEST, "it is no list of images")
    images = [_docker_image(each) for each in value]
    names = [(*tags, "sha256:" + (_hex(config) or "")) for config, tags, _layers in images]
    config, _tags, layers = images[_chosen(names, choice.image)]
    raw = members.read(found, config)
    if _hex(config) not in (None, hashlib.sha256(raw).hexdigest()):
        raise Damaged("read", config, "its digest is another one than its name says")
    document = oci_image.parse(raw, config)
    if len(layers) != len(document.diff_ids):
        raise Damaged("read", _MANIFEST, "it has %d layers, the config %d" % (len(layers), len(document.diff_ids)))
    sources = []
    for name, diff_id in zip(layers, document.diff_ids):
        digest = _hex(name) if name.startswith("blobs/") else None
        sources.append(_layer(found, name, importlayer.Expected(diff_id, "sha256:" + digest if digest else "", found.find(name))))
    return _whole(raw, document, sources)


def _docker_image(value: t.Any) -> t.Tuple[str, t.Tuple[str, ...], t.Tuple[str, ...]]:
    if not isinstance(value, dict):
        raise Damaged("read", _MANIFEST, "an image in it is no object")
    config, tags, layers = value.get("Config"), value.get("RepoTags") or [], value.get("Layers") or []
    words = [config, *tags, *layers] if isinstance(tags, list) and isinstance(layers, list) else [None]
    if not all(isinstance(word, str) for word in words) or "manifests" in value or "layers" in value:
        raise Damaged("read", _MANIFEST, "an image in it is malformed")
    return str(config), tuple(tags), tuple(layers)


def _hex(name: str) -> t.Optional[str]:
    match = _NAMED.match(name)
    return match.group(1) if match else None


def _oci(found: Members, choice: Choice) -> Found:
    layout = distribution.parse_document(members.read(found, _LAYOUT), _LAYOUT)
    version = layout.get("imageLayoutVersion")
    if not isinstance(version, str) or not version.startswith("1."):
        raise Unsupported("read", _LAYOUT, "the version of the layout is %r, not 1.x" % (version,))
    descriptor = _oci_choice(members.read(found, _INDEX), choice)
    raw = _blob(found, descriptor)
    manifest = distribution.parse_manifest(raw, descriptor.media_type, descriptor.digest)
    if isinstance(manifest, distribution.Index):
        descriptor = manifest.choose(choice.platform, descriptor.digest)
        manifest = distribution.parse_manifest(_blob(found, descriptor), descriptor.media_type, descriptor.digest)
    if not isinstance(manifest, distribution.Manifest):
        raise Damaged("read", descriptor.digest, "it is a list of images in a list of images")
    raw = _blob(found, manifest.config)
    document = oci_image.parse(raw, manifest.config.digest)
    if len(manifest.layers) != len(document.diff_ids):
        raise Damaged("read", descriptor.digest, "it has %d layers, the config %d" % (len(manifest.layers), len(document.diff_ids)))
    return _whole(raw, document, [
        _layer(found, _path(layer), importlayer.Expected(diff_id, layer.digest, layer.size))
        for layer, diff_id in zip(manifest.layers, document.diff_ids)])


def _oci_choice(raw: bytes, choice: Choice) -> Descriptor:
    """Several entries with different platforms and no other difference are one image."""
    value = distribution.parse_document(raw, _INDEX)
    entries = value.get("manifests")
    if not isinstance(entries, list) or not entries or len(entries) > _MOST_IMAGES or "layers" in value or "config" in value:
        raise Damaged("read", _INDEX, "it is no list of images")
    known = [(distribution.descriptor(each, "manifests", _INDEX), each) for each in entries]
    known = [each for each in known if each[0].media_type in distribution.MANIFESTS + distribution.INDEXES]
    if not known:
        raise Unsupported("read", _INDEX, "it holds no image")
    names = [(*_annotated(entry), descriptor.digest) for descriptor, entry in known]
    if choice.image is None and len(known) > 1 and all(each.platform for each, _entry in known) and len({name[:-1] for name in names}) == 1:
        return distribution.Index(distribution.OCI_INDEX, tuple(each for each, _entry in known)).choose(choice.platform, _INDEX)
    return known[_chosen(names, choice.image)][0]


def _annotated(entry: t.Mapping[str, t.Any]) -> t.Tuple[str, ...]:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return ()
    return tuple(str(annotations[name]) for name in NAME_ANNOTATIONS if isinstance(annotations.get(name), str))


def _chosen(names: t.Sequence[t.Tuple[str, ...]], wanted: t.Optional[str]) -> int:
    """Each image's names, its digest last; a name without a tag is enough where only one image has it."""
    if wanted is None and len(names) == 1:
        return 0
    exact = [place for place, known in enumerate(names) if wanted in known]
    loose = [place for place, known in enumerate(names) if any(name.rpartition(":")[0] == wanted for name in known[:-1])]
    if wanted is not None and len(exact or loose) == 1:
        return (exact or loose)[0]
    there = ", ".join([" = ".join(known) for known in names[:_MOST_NAMES]])
    reason = "the archive holds %d images, say which" % len(names) if wanted is None else "there is no such image in the archive" \
        if not exact + loose else "several images in the archive are called so"
    raise Invalid(_OPTION, reason, hint="there are: %s" % there)


def _blob(found: Members, descriptor: Descriptor) -> bytes:
    raw = members.read(found, _path(descriptor))
    if len(raw) != descriptor.size or "sha256:" + hashlib.sha256(raw).hexdigest() != descriptor.digest:
        raise Damaged("read", descriptor.digest, "its size or digest is another one than was announced")
    return raw


def _path(descriptor: Descriptor) -> str:
    algorithm, _colon, digits = descriptor.digest.partition(":")
    if algorithm != "sha256":
        raise Unsupported("read", descriptor.digest, "only SHA-256 digests are supported")
    return "blobs/%s/%s" % (algorithm, digits)


def _layer(found: Members, name: str, expected: importlayer.Expected) -> LayerSource:
    size = found.find(name)
    if size is None:
        raise Damaged("read", name, "the layer is not in the archive")
    if size != expected.size:
        raise Damaged("read", name, "the layer has %d bytes, %s were announced" % (size, expected.size))
    if not expected.diff_id.startswith("sha256:"):
        raise Unsupported("read", name, "only SHA-256 digests are supported")
    return LayerSource(name, expected)


def _whole(raw: bytes, document: oci_image.Document, layers: t.Sequence[LayerSource]) -> Found:
    return Found("sha256:" + hashlib.sha256(raw).hexdigest(), document, tuple(layers))


_FORMATS: t.Dict[str, t.Callable[[Members, Choice], Found]] = {DOCKER: _docker, OCI: _oci}

# SPDX-License-Identifier: BSD-2-Clause
"""Where an image is in a registry, and what a registry's documents say: references, digests, descriptors, manifests, platforms.

All of it comes from outside, so every value is bounded and checked before anybody uses it. Not here: asking a registry (registry/).
"""
from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Platform

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEXES, MANIFESTS, CONFIGS = (OCI_INDEX, DOCKER_LIST), (OCI_MANIFEST, DOCKER_MANIFEST), (OCI_CONFIG, DOCKER_CONFIG)
LAYERS = (
    "application/vnd.oci.image.layer.v1.tar", OCI_LAYER_GZIP, "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar", DOCKER_LAYER_GZIP, "application/vnd.docker.image.rootfs.diff.tar.zstd",
)
_FOREIGN = re.compile(r"foreign|nondistributable")

DEFAULT_TAG = "latest"
LARGEST_DOCUMENT = 4 << 20
_MOST_LAYERS, _MOST_MANIFESTS = 512, 1024
_LARGEST_BLOB = 1 << 46
_DIGEST_DIGITS = {"sha256": 64, "sha512": 128}
_HEX = frozenset("0123456789abcdef")

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?\Z")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_LONGEST_PATH = 255

Json = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Remote:
    """HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]; the digest decides where both are given."""

    host: str
    repository: str
    tag: t.Optional[str] = None
    digest: t.Optional[str] = None

    @property
    def reference(self) -> str:
        """What a manifest is asked for by."""
        return self.digest or self.tag or DEFAULT_TAG

    def __str__(self) -> str:
        tag = ":" + self.tag if self.tag else ""
        return "%s/%s%s%s" % (self.host, self.repository, tag, "@" + self.digest if self.digest else "")


def parse_remote(text: str, option: str) -> Remote:
    """The registry has to be named: there is none that a short name would mean. Raises Invalid."""
    rest, at, digest = text.partition("@")
    folder, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    host, slash, repository = (folder + slash + last).partition("/")
    if not slash or not is_host(host):
        raise Invalid(option, "%r does not begin with a registry; HOST[:PORT]/REPOSITORY[:TAG][@DIGEST] is accepted, where HOST has a dot "
                              "or a port or is localhost" % text)
    if not _PATH.match(repository) or len(repository) > _LONGEST_PATH:
        raise Invalid(option, "%r is no repository of a registry: lower-case letters and digits, separated by . _ - and /" % repository)
    if colon and not _TAG.match(tag):
        raise Invalid(option, "%r is no tag of a registry: letters, digits and _ . - are accepted, at most 128" % tag)
    if at and not is_digest(digest):
        raise Invalid(option, "%r is no digest: sha256: and 64 hexadecimal digits are accepted" % digest)
    return Remote(host, repository, tag or None, digest or None)


def is_host(text: str) -> bool:
    """As everybody tells a registry from the first part of a path: by a dot, a port, or the name localhost."""
    return bool(_HOST.match(text)) and (text == "localhost" or "." in text or ":" in text)


def is_digest(text: object) -> bool:
    """Nothing else ever becomes a part of a path or of a URL."""
    if not isinstance(text, str):
        return False
    algorithm, _colon, digits = text.partition(":")
    return len(digits) == _DIGEST_DIGITS.get(algorithm) and _HEX.issuperset(digits)


# uname(2) to what images are labelled with
_MACHINES = {
    "x86_64": Platform("linux", "amd64"), "aarch64": Platform("linux", "arm64", "v8"), "armv7l": Platform("linux", "arm", "v7"),
    "armv6l": Platform("linux", "arm", "v6"), "i686": Platform("linux", "386"), "ppc64le": Platform("linux", "ppc64le"),
    "s390x": Platform("linux", "s390x"), "riscv64": Platform("linux", "riscv64"),
}
_OTHER_WORDS = {    # as people and uname(2) say -> in OCI's words
    **{machine: platform[1:] for machine, platform in _MACHINES.items() if machine != "aarch64"}, "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"), "armel": ("arm", "v6"), "i386": ("386", ""),
}
_WORD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}\Z")


def platform_of(machine: str) -> Platform:
    return _MACHINES.get(machine) or Platform("linux", machine)


def parse_platform(text: str, option: str = "platform") -> Platform:
    """OS/ARCHITECTURE[/VARIANT], the architecture in OCI's words or in those of the kernel. Raises Invalid."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_WORD.match(part) for part in parts):
        raise Invalid(option, "%r is no platform; OS/ARCHITECTURE[/VARIANT] is accepted, such as linux/arm64" % text)
    system, architecture, variant = (*parts, "")[:3]
    known, usual = _OTHER_WORDS.get(architecture, (architecture, ""))
    return Platform(system, known, variant or usual)


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """A blob or a manifest by its content. `platform` only in an index."""

    media_type: str
    digest: str
    size: int
    platform: t.Optional[Platform] = None

    def to_json(self) -> Json:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """One image: `layers` bottom first."""

    media_type: str
    config: Descriptor
    layers: t.Tuple[Descriptor, ...]

    def to_json(self) -> Json:
        layers = [layer.to_json() for layer in self.layers]
        return {"schemaVersion": 2, "mediaType": self.media_type, "config": self.config.to_json(), "layers": layers}


@dataclasses.dataclass(frozen=True)
class Index:
    """Manifests of one image for several platforms."""

    media_type: str
    manifests: t.Tuple[Descriptor, ...]

    def choose(self, wanted: Platform, subject: str) -> Descriptor:
        """The first with the wanted variant, else the first of the architecture where none was said. Raises NotFound."""
        there = [each for each in self.manifests if each.platform and each.platform[:2] == wanted[:2]]
        exact = [each for each in there if each.platform and each.platform.variant == wanted.variant]
        loose = [each for each in there if not wanted.variant or not each.platform or not each.platform.variant]
        if exact or loose:
            return (exact or loose)[0]
        names = sorted({str(each.platform) for each in self.manifests if each.platform and each.platform.os != "unknown"})
        raise NotFound("image", subject, "it is not there for %s" % str(wanted), hint="platforms there: %s" % ", ".join(names))


def parse_document(raw: bytes, subject: str) -> Json:
    """One JSON object. Raises Damaged."""
    value = parse_json(raw, subject)
    if not isinstance(value, dict):
        raise Damaged("read", subject, "it is no JSON object")
    return value


def parse_json(raw: bytes, subject: str) -> t.Any:
    """Of bounded size, without a key given twice and without what is no number. Raises Damaged."""
    if len(raw) > LARGEST_DOCUMENT:
        raise Damaged("read", subject, "it is larger than %d bytes" % LARGEST_DOCUMENT)
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError, MemoryError) as error:
        raise Damaged("read", subject, "it is no JSON: %s" % (str(error) or type(error).__name__)) from error


def _no_number(constant: str) -> t.NoReturn:
    raise ValueError("%s is no number" % constant)


def _once(pairs: t.Sequence[t.Tuple[str, t.Any]]) -> Json:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def parse_manifest(raw: bytes, media_type: str, subject: str) -> t.Union[Manifest, Index]:
    """`media_type` is what the registry said it is; the document must not say otherwise. Raises Damaged, Unsupported."""
    value = parse_document(raw, subject)
    kind = value.get("mediaType", media_type)
    if kind != media_type and media_type in INDEXES + MANIFESTS:
        raise Damaged("read", subject, "it is sent as %s and says that it is %s" % (media_type, kind))
    if value.get("schemaVersion") != 2 or isinstance(value.get("schemaVersion"), bool):
        raise Unsupported("read", subject, "it has another schema than 2", hint="push the image anew with a tool of this decade")
    if "manifests" in value and ("layers" in value or "config" in value):
        raise Damaged("read", subject, "it is an image and a list of images at once")
    if kind in INDEXES:
        manifests = _descriptors(value.get("manifests"), _MOST_MANIFESTS, "manifests", subject)
        return Index(kind, tuple(each for each in manifests if each.media_type in MANIFESTS))
    if kind not in MANIFESTS:
        raise Unsupported("read", subject, "%r is neither an image nor a list of images" % (kind,))
    config = descriptor(value.get("config"), "config", subject)
    if config.media_type not in CONFIGS:
        raise Unsupported("read", subject, "it is no image of a container: its config is %s" % config.media_type)
    layers = _descriptors(value.get("layers"), _MOST_LAYERS, "layers", subject)
    for layer in layers:
        _require_layer(layer, subject)
    return Manifest(kind, config, tuple(layers))


def _require_layer(layer: Descriptor, subject: str) -> None:
    if _FOREIGN.search(layer.media_type):
        raise Unsupported("read", subject, "its layer %s is a foreign one, which is at another place than the registry" % layer.digest)
    if layer.media_type not in LAYERS:
        raise Unsupported("read", subject, "its layer %s is of an unknown type, %s" % (layer.digest, layer.media_type))


def _descriptors(value: t.Any, most: int, what: str, subject: str) -> t.List[Descriptor]:
    if not isinstance(value, list):
        raise Damaged("read", subject, "its %s are no list" % what)
    if len(value) > most:
        raise Damaged("read", subject, "it has %d %s, more than %d" % (len(value), what, most))
    return [descriptor(each, what, subject) for each in value]


def descriptor(value: t.Any, what: str, subject: str) -> Descriptor:
    """Raises Damaged."""
    if not isinstance(value, dict):
        raise Damaged("read", subject, "what it has for %s is no object" % what)
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not isinstance(media_type, str) or not is_digest(digest):
        raise Damaged("read", subject, "in %s, %r is no digest, or the media type is missing" % (what, digest))
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_BLOB:
        raise Damaged("read", subject, "in %s, %r is no size" % (what, size))
    return Descriptor(media_type, str(digest), size, _platform(value.get("platform")))


def _platform(value: t.Any) -> t.Optional[Platform]:
    """One that nobody could ask for is none."""
    if not isinstance(value, dict):
        return None
    parts = [value.get(key, "") for key in ("os", "architecture", "variant")]
    return Platform(*parts) if all(isinstance(part, str) for part in parts) else None

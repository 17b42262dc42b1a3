# SPDX-License-Identifier: BSD-2-Clause
"""An ssh repository of images: its address, what lies where in it, and what is known of an image there.

    images/<name>/<version>/index.json      an OCI layout of one image, beside oci-layout and SHA256SUMS; no version is "_"
    blobs/sha256/<digest>                   manifests, configs and layers of all images, each once
    uploads/                                what is on its way, until it is whole
    <name>[:<version>].cockerimage          an image in one file, as others left it; its digest beside it in <file>.sha256

Not here: how it is spoken to (registry/repository.py).
"""
from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, names, oci_image, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor, Manifest
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef

IMAGES, BLOBS, UPLOADS = "images", "blobs/sha256", "uploads"
INDEX, LAYOUT, SUMS = "index.json", "oci-layout", "SHA256SUMS"
SUM = ".sha256"
LAYOUT_DOCUMENT = b'{"imageLayoutVersion":"1.0.0"}'
_NAME_ANNOTATION = "org.opencontainers.image.ref.name"
_HOME = "/~"

_ADDRESS = re.compile(
    r"(?:ssh://)?(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63})@)?(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252})|\[[0-9a-fA-F:.]+\])"
    r"(?::(?P<port>[0-9]{1,5})?(?=/|\Z))?(?P<path>/(?!/).*)?\Z")
_KEY = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+ +[A-Za-z0-9+/]+={0,3}(?: .*)?\Z")
_SUM = re.compile(r"([0-9a-f]{64})(?:\s|\Z)")


@dataclasses.dataclass(frozen=True)
class Address:
    """[USER@]HOST[:PORT][/PATH]. `path` is absolute, or below the directory that the user is in after logging in; empty is that one."""

    host: str
    user: str = ""
    port: t.Optional[int] = None
    path: str = ""

    def __str__(self) -> str:
        host = "[%s]" % self.host if ":" in self.host else self.host
        user, port = self.user + "@" if self.user else "", ":%d" % self.port if self.port else ""
        path = self.path if self.path.startswith("/") or not self.path else "%s/%s" % (_HOME, self.path)
        return user + host + port + path


def parse_address(text: str, option: str) -> Address:
    """As Address says, also with ssh:// in front. /~/PATH is below the login directory. Raises Invalid."""
    found = _ADDRESS.match(text)
    if not found or not text.isprintable():
        raise Invalid(option, "%r is no address of a repository; [USER@]HOST[:PORT][/PATH] is accepted" % text)
    port = int(found.group("port")) if found.group("port") else None
    if port is not None and not 0 < port < 1 << 16:
        raise Invalid(option, "%r: %d is no port" % (text, port))
    said = found.group("path") or ""
    parts = [part for part in said.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Invalid(option, "%r: a path with .. in it is not accepted" % text)
    path = "/".join(parts[1:]) if parts[:1] == ["~"] else "/" + "/".join(parts) if said else ""
    return Address(found.group("host").strip("[]"), found.group("user") or "", port, path)


def host_key(text: str, option: str) -> str:
    """A public key as a .pub file has it, without the comment. Raises Invalid."""
    if not _KEY.match(text.strip()):
        raise Invalid(option, "%r is no public key of a host, such as `ssh-ed25519 AAAA...`" % text)
    return " ".join(text.split()[:2])


class Single(t.NamedTuple):
    """An image in one file. `modified` in seconds since the epoch; `digest` empty where none is beside it."""

    file: str
    size: int
    modified: int
    digest: str = ""

    @property
    def mark(self) -> str:
        """Another one when the file is."""
        return self.digest or "file:%d:%d" % (self.size, self.modified)


@dataclasses.dataclass(frozen=True)
class Stored:
    """An image in the repository, in one of the two forms. `digest` is that of the manifest, `damage` why it cannot be read."""

    ref: ImageRef
    modified: int
    digest: str = ""
    manifest: t.Optional[Manifest] = None
    single: t.Optional[Single] = None
    damage: str = ""

    @property
    def mark(self) -> str:
        return self.single.mark if self.single else self.digest

    @property
    def content(self) -> str:
        """The same for the same layers and config, however they are compressed; empty where it is not known."""
        return self.manifest.config.digest if self.manifest else ""

    @property
    def size(self) -> int:
        """What would have to be fetched of it, in bytes."""
        if self.single:
            return self.single.size
        return self.manifest.config.size + sum(layer.size for layer in self.manifest.layers) if self.manifest else 0

    @property
    def blobs(self) -> t.Tuple[str, ...]:
        """The digests of all that it needs."""
        if self.manifest is None:
            return ()
        return (self.digest, self.manifest.config.digest, *[layer.digest for layer in self.manifest.layers])


def known_as(name: str, version: str) -> ImageRef:
    return ImageRef(name, None if version == versions.NONE else version)


def find_ref(directory_name: str, version: str = versions.NONE) -> t.Optional[ImageRef]:
    """What two directories of the server are called; None for what is no image's."""
    decoded, number = names.decode(directory_name), names.decode(version)
    try:
        return known_as(names.image_name(decoded or "", ""), names.image_version(number or "", ""))
    except Invalid:
        return None


def find_file_ref(file: str) -> t.Optional[ImageRef]:
    """What a .cockerimage is called."""
    called = names.in_file_name(file)
    try:
        ref = names.parse_image(called) if called is not None else None
    except Invalid:
        return None
    return known_as(ref.name, ref.version or versions.NONE) if ref else None


def directory(ref: ImageRef) -> str:
    return "%s/%s/%s" % (IMAGES, names.encode(ref.name), names.encode(ref.version or versions.NONE))


def blob(digest: str) -> str:
    """Raises Damaged."""
    algorithm, _colon, digits = digest.partition(":")
    if algorithm != "sha256" or not distribution.is_digest(digest):
        raise Damaged("read", digest, "only SHA-256 digests are supported")
    return "%s/%s" % (BLOBS, digits)


def index(ref: ImageRef, manifest: Descriptor) -> bytes:
    """What makes the image visible."""
    entry = {**manifest.to_json(), "annotations": {_NAME_ANNOTATION: str(ref)}}
    return oci_image.canonical({"schemaVersion": 2, "mediaType": distribution.OCI_INDEX, "manifests": [entry]})


def parse_index(raw: bytes, subject: str) -> Descriptor:
    """Raises Damaged, Unsupported."""
    found = distribution.parse_manifest(raw, distribution.OCI_INDEX, subject)
    if not isinstance(found, distribution.Index) or len(found.manifests) != 1:
        raise Damaged("read", subject, "it does not name one image")
    return found.manifests[0]


def parse_manifest(raw: bytes, subject: str) -> Manifest:
    """Raises Damaged, Unsupported."""
    found = distribution.parse_manifest(raw, distribution.OCI_MANIFEST, subject)
    if not isinstance(found, Manifest):
        raise Damaged("read", subject, "it is a list of images")
    for digest in (found.config.digest, *[layer.digest for layer in found.layers]):
        blob(digest)
    return found


def sums(index_digest: str, digests: t.Sequence[str]) -> bytes:
    """For `sha256sum -c` in the directory of the image."""
    lines = ["%s  %s" % (index_digest.partition(":")[2], INDEX)]
    lines += ["%s  ../../../%s" % (digest.partition(":")[2], blob(digest)) for digest in dict.fromkeys(digests)]
    return "".join(line + "\n" for line in lines).encode("ascii")


def parse_sum(raw: bytes) -> str:
    """The digest in a .sha256, empty if there is none."""
    found = _SUM.match(raw.decode("ascii", "replace"))
    return "sha256:" + found.group(1) if found else ""

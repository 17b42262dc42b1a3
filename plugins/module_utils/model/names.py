# SPDX-License-Identifier: BSD-2-Clause
"""Names: image references, objects, what they are called on disk and in the kernel. One parser, one charset.

Not here: which version is the largest (versions.py), and where a name lies on disk (storage/layout.py).
"""
from __future__ import annotations

import functools
import hashlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.versions import NONE, digest_of, of_digest

COCKERIMAGE = ".cockerimage"
_DIGITS = frozenset("0123456789")
_FIRST = _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_REST = _FIRST | frozenset("_.=+-")
_OBJECT_LENGTH = 64
_VERSION_LENGTH = 128
_FILE_NAME_LENGTH = 200         # encoded; a record's temporary name has a suffix more, NAME_MAX is 255
_PORT_LENGTH = 5
_HASH_DIGITS = 10
_LINK_INDEXES = 100             # IFNAMSIZ leaves 15 characters: eth, nine digits, n, two for the index

_RULE = "letters, digits and _ . = + - are accepted, the first is a letter or digit"


class ImageRef(t.NamedTuple):
    """`version` None: the largest where an image is used, no version where one is made. `_` is explicitly none."""

    name: str
    version: t.Optional[str] = None

    def __str__(self) -> str:
        return self.name if self.version is None else "%s:%s" % (self.name, self.version)


def parse_image(text: str, option: str = "image") -> ImageRef:
    """NAME[:VERSION]. A `:` with a `/` after it is the port of a registry. Raises Invalid."""
    folder, slash, last = text.rpartition("/")
    base, colon, version = last.partition(":")
    if "@" in text:
        raise Invalid(option, "%r: an image is named by NAME[:VERSION], not by a digest" % text)
    return ImageRef(image_name(folder + slash + base, option), image_version(version, option) if colon else None)


def parse_wanted(text: str, option: str = "image") -> ImageRef:
    """NAME[:VERSION][@DIGEST] of a container's image: one by its digest is kept under a version that says it. Raises Invalid."""
    rest, at, digest = text.partition("@")
    ref = parse_image(rest, option)
    if not at:
        return ref
    if not digest_of(of_digest(digest)):
        raise Invalid(option, "%r is no digest: sha256: and 64 hexadecimal digits are accepted" % digest)
    return ImageRef(ref.name, of_digest(digest))


def file_name(ref: ImageRef) -> str:
    """What a .cockerimage is called."""
    return encode(ref.name) + (":" + ref.version if ref.version is not None else "") + COCKERIMAGE


def in_file_name(path: str) -> t.Optional[str]:
    """NAME[:VERSION] of a .cockerimage; what no file may be called is percent-encoded in it. None for other files."""
    base = path.rpartition("/")[2]
    if not base.endswith(COCKERIMAGE) or base == COCKERIMAGE:
        return None
    name, colon, version = base[:-len(COCKERIMAGE)].partition(":")
    return (decode(name) or name) + colon + version


def image_name(text: str, option: str) -> str:
    """Such as debian, calvin=rhel-7.4-x86_64, localhost:5000/team/app. Raises Invalid."""
    parts = text.split("/")
    host, colon, port = parts[0].partition(":") if len(parts) > 1 else (parts[0], "", "")
    if not all(_is_word(part) for part in (host, *parts[1:])) or colon and not _is_port(port):
        raise Invalid(option, "%r is no image name; parts are separated by /, in a part %s" % (text, _RULE))
    if len(encode(text)) > _FILE_NAME_LENGTH:
        raise Invalid(option, "%r is longer than %d characters" % (text, _FILE_NAME_LENGTH))
    return text


def image_version(text: str, option: str) -> str:
    """Raises Invalid."""
    if text == NONE or _is_word(text) and len(text) <= _VERSION_LENGTH:
        return text
    raise Invalid(option, "%r is no version; %s, at most %d" % (text, _RULE, _VERSION_LENGTH))


def object_name(value: str, option: str) -> str:
    """The name of a container, network or volume, or Invalid."""
    if _is_word(value) and len(value) <= _OBJECT_LENGTH:
        return value
    raise Invalid(option, "%r is no name; %s, at most %d" % (value, _RULE, _OBJECT_LENGTH))


def _is_word(text: str) -> bool:
    return bool(text) and text[0] in _FIRST and _REST.issuperset(text)


def _is_port(text: str) -> bool:
    return 0 < len(text) <= _PORT_LENGTH and _DIGITS.issuperset(text) and 0 < int(text) < 1 << 16


@functools.lru_cache(maxsize=4096)
def encode(name: str) -> str:
    """A plain file name, never hidden, and a different one for each name."""
    if _is_word(name) or name == NONE:
        return name
    return "".join(_encoded(char, index == 0) for index, char in enumerate(name))


def _encoded(char: str, first: bool) -> str:
    if char in (_FIRST if first else _REST):
        return char
    return "".join("%%%02X" % byte for byte in char.encode("utf-8", "surrogateescape"))


def decode(file_name: str) -> t.Optional[str]:
    """What encode() was given; None for a file name that it does not make."""
    head, *rest = file_name.split("%")
    raw = bytearray(head.encode("utf-8", "surrogateescape"))
    for part in rest:
        if len(part) < 2 or not all(char in "0123456789ABCDEF" for char in part[:2]):
            return None
        raw.append(int(part[:2], 16))
        raw += part[2:].encode("utf-8", "surrogateescape")
    name = raw.decode("utf-8", "surrogateescape")
    return name if name and encode(name) == file_name else None


def netns_name(container: str) -> str:
    return "nns" + short_hash(container)


def link_name(container: str, index: int = 0) -> str:
    """The host's end of the container's link to its `index`-th network. The n is no digit of the hash: no index has the name of another."""
    if not 0 <= index < _LINK_INDEXES:
        raise Invalid("networks", "a container can be on %d networks" % _LINK_INDEXES)
    return "eth" + (short_hash(container) if index == 0 else "%sn%d" % (short_hash(container)[:-1], index))


@functools.lru_cache(maxsize=4096)
def short_hash(name: str) -> str:
    """Ten upper case hex digits of the MD5, which is what the kernel's names have room for."""
    return hashlib.md5(name.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()[:_HASH_DIGITS].upper()

# SPDX-License-Identifier: BSD-2-Clause
"""Names of objects, references to images, and the names of files and kernel objects that derive from them."""
from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.versions import NONE

NO_VERSION = NONE

_ALNUM = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_OBJECT = _ALNUM | frozenset("_.=+-")
_VERSION = _ALNUM | frozenset("_.+-")
_LONGEST_OBJECT, _LONGEST_IMAGE, _LONGEST_VERSION = 64, 200, 128
_PLAIN = _OBJECT
_HEX = frozenset("0123456789ABCDEF")


class ImageRef(t.NamedTuple):
    """`version` None is `the largest` where an image is used and `no version` where one is made."""

    name: str
    version: t.Optional[str] = None

    def __str__(self) -> str:
        return self.name if self.version is None else "%s:%s" % (self.name, self.version)


def object_name(value: str, option: str) -> str:
    """The name of a container, network or volume. Raises Invalid."""
    if not value or len(value) > _LONGEST_OBJECT or value[0] not in _ALNUM or not set(value) <= _OBJECT:
        raise Invalid(option, "%r is not a name: letters, digits and _.=+- are accepted, the first is a letter or digit, %d at most"
                      % (value, _LONGEST_OBJECT))
    return value


def parse_image(value: str, option: str = "name") -> ImageRef:
    """`NAME[:VERSION]`; a colon that is followed by a slash belongs to a registry's port. Raises Invalid."""
    name, colon, version = value.rpartition(":")
    if not colon or "/" in version:
        return ImageRef(image_name(value, option))
    return ImageRef(image_name(name, option), image_version(version, option))


def image_name(value: str, option: str) -> str:
    """Raises Invalid."""
    registry, slash, _rest = value.partition("/")
    host, colon, port = registry.partition(":")
    parts = (host + value[len(registry):]).split("/")
    well_formed = all(part and part[0] in _ALNUM and set(part) <= _OBJECT for part in parts)
    if not well_formed or len(value) > _LONGEST_IMAGE or (colon and not (slash and _is_port(port))):
        raise Invalid(option, "%r is not an image name such as debian, calvin=rhel-7.4-x86_64 or example/app" % value)
    return value


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def image_version(value: str, option: str) -> str:
    """Raises Invalid."""
    if not value or len(value) > _LONGEST_VERSION or value[0] not in _ALNUM | {"_"} or not set(value) <= _VERSION:
        raise Invalid(option, "%r is not a version: letters, digits and _.+- are accepted, %d at most" % (value, _LONGEST_VERSION))
    return value


def encode(name: str) -> str:
    """A plain file name: every byte that is not plain becomes %XX."""
    plain = "".join(char if char in _PLAIN else "".join("%%%02X" % byte for byte in char.encode("utf-8", "surrogateescape")) for char in name)
    return "%2E" + plain[1:] if plain.startswith(".") else plain


def decode(file_name: str) -> t.Optional[str]:
    """None for what `encode` never makes: litter, and other people's files."""
    data, place = bytearray(), 0
    while place < len(file_name):
        code = file_name[place + 1:place + 3]
        if file_name[place] == "%" and len(code) == 2 and set(code) <= _HEX:
            data.append(int(code, 16))
            place += 3
        else:
            data.extend(file_name[place].encode("utf-8", "surrogateescape"))
            place += 1
    name = data.decode("utf-8", "surrogateescape")
    return name if name and encode(name) == file_name else None


def short_hash(name: str, digits: int = 10) -> str:
    """Upper-case hex of the name's MD5: it names, it protects nothing."""
    return hashlib.md5(name.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()[:digits].upper()


def netns_name(container: str) -> str:
    return "nns" + short_hash(container)


def link_name(container: str, index: int = 0) -> str:
    """The host's side of the container's link to its network number `index`. Raises Invalid beyond 999."""
    if not 0 <= index <= 999:
        raise Invalid("networks", "a container is on 1000 networks at most")
    return "eth" + (short_hash(container, 9) + str(index) if index else short_hash(container))

# SPDX-License-Identifier: BSD-2-Clause
"""An image: its config as OCI writes it, its layers, where it came from. Not here: where it lies (storage/images.py)."""
from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.versions import NONE

Words = t.Tuple[str, ...]
Json = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """What a container of the image gets where its own task says nothing. `env` as KEY=VALUE, `exposed_ports` as 80/tcp."""

    cmd: Words = ()
    entrypoint: Words = ()
    env: Words = ()
    user: str = ""
    working_dir: str = ""
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    exposed_ports: Words = ()
    volumes: Words = ()
    stop_signal: str = ""
    healthcheck: t.Optional[t.Mapping[str, t.Any]] = None

    def to_json(self) -> Json:
        """The `config` of an OCI image config: what is empty is left out."""
        said = {name: _plain(getattr(self, field), kind) for field, name, kind in _CONFIG}
        return {name: value for name, value in said.items() if value}


_WORDS, _SET, _TEXT, _MAP = "list of text", "object", "text", "object of text"
# field of ours, name in the OCI image config, shape
_CONFIG = (
    ("cmd", "Cmd", _WORDS),
    ("entrypoint", "Entrypoint", _WORDS),
    ("env", "Env", _WORDS),
    ("user", "User", _TEXT),
    ("working_dir", "WorkingDir", _TEXT),
    ("labels", "Labels", _MAP),
    ("exposed_ports", "ExposedPorts", _SET),
    ("volumes", "Volumes", _SET),
    ("stop_signal", "StopSignal", _TEXT),
    ("healthcheck", "Healthcheck", "raw object"),
)


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where the content came from: `digest` tells whether the same source would bring anything new.

    `stamp` is size, mtime and inode of the file, so that one which nobody touched is not read again to find its digest. `selection`
    says what of it was taken; `content`, where it is known, is the same for every source of the same image.
    """

    source: str
    digest: str = ""
    path: str = ""
    stamp: str = ""
    selection: str = ""
    content: str = ""

    def brings_the_same(self, other: Provenance) -> bool:
        if self.source != other.source:
            return False
        return (self.digest, self.selection) == (other.digest, other.selection) or bool(self.content) and self.content == other.content

    @property
    def registry_digest(self) -> str:
        """What the registry that it came from calls it: of several platforms that of the list. Empty for other sources."""
        return self.stamp.partition(" ")[0] if self.source == "registry" else ""


class Platform(t.NamedTuple):
    """What an image's programs are for, in OCI's words; an empty architecture is not known."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclasses.dataclass(frozen=True)
class HistoryStep:
    """One line of an image's history, as OCI writes it; `empty_layer` where it made no layer."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    author: str = ""
    empty_layer: bool = False

    def to_json(self) -> Json:
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


@dataclasses.dataclass(frozen=True)
class ImageRecord:
    """images/<name>/<version>/image.json. `layers` bottom first, `created` RFC 3339, `size` the bytes of its layers' files.

    `inherited` is the config that the source brought, where a task changed it; `history` is OCI's.
    """

    name: str
    version: str
    layers: Words
    config: ImageConfig
    created: str
    provenance: Provenance
    size: int = 0
    platform: Platform = Platform()
    author: str = ""
    history: t.Tuple[HistoryStep, ...] = ()
    inherited: t.Optional[ImageConfig] = None

    @property
    def id(self) -> str:
        """The same for every name of the same layers and config."""
        content = json.dumps([self.layers, self.config.to_json()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    @property
    def ref(self) -> ImageRef:
        return ImageRef(self.name, None if self.version == NONE else self.version)

    def to_json(self) -> Json:
        return {
            "name": self.name, "version": self.version, "id": self.id, "layers": list(self.layers), "created": self.created,
            "size": self.size, "config": self.config.to_json(), "provenance": dataclasses.asdict(self.provenance),
            "platform": self.platform._asdict(), "author": self.author, "history": [step.to_json() for step in self.history],
            **({"inherited": self.inherited.to_json()} if self.inherited is not None else {}),
        }


def record_from_json(value: t.Mapping[str, t.Any]) -> ImageRecord:
    """Raises KeyError, TypeError or ValueError where the record is not ours; storage.records names the file."""
    origin = value["provenance"]
    return ImageRecord(
        name=_text(value["name"]),
        version=_text(value["version"]),
        layers=_words(value["layers"]),
        config=config_from_json(value["config"]),
        created=_text(value["created"]),
        provenance=Provenance(**{key: _text(origin.get(key, "")) for key in [field.name for field in dataclasses.fields(Provenance)]}),
        size=_number(value.get("size", 0)),
        platform=_platform(value.get("platform") or {}),
        author=_text(value.get("author", "")),
        history=history_from_json(value.get("history")),
        inherited=config_from_json(value["inherited"]) if "inherited" in value else None,
    )


def _platform(value: t.Mapping[str, t.Any]) -> Platform:
    return Platform(_text(value.get("os", "linux")), _text(value.get("architecture", "")), _text(value.get("variant", "")))


def history_from_json(value: t.Any) -> t.Tuple[HistoryStep, ...]:
    """The `history` of an OCI image config; null is the same as none. Raises TypeError."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TypeError("the history is no list")
    return tuple(_history_step(_object(step)) for step in value)


def _history_step(value: Json) -> HistoryStep:
    said = {name: _text(value[name]) for name in ("created", "created_by", "comment", "author") if value.get(name) is not None}
    return HistoryStep(**said, empty_layer=value.get("empty_layer") is True)


def config_from_json(value: t.Mapping[str, t.Any]) -> ImageConfig:
    """The `config` of an OCI image config; null is the same as not there. Raises TypeError."""
    if not isinstance(value, dict):
        raise TypeError("the config is no object")
    return ImageConfig(**{field: _READ[kind](value[name]) for field, name, kind in _CONFIG if value.get(name) is not None})


def _plain(value: t.Any, kind: str) -> t.Any:
    if kind == _SET:
        return {word: {} for word in value}
    return list(value) if kind == _WORDS else value and (dict(value) if kind != _TEXT else value)


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise TypeError("%r is no text" % (value,))
    return value


def _number(value: t.Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("%r is no number" % (value,))
    return value


def _words(value: t.Any) -> Words:
    if not isinstance(value, (list, tuple)):
        raise TypeError("%r is no list" % (value,))
    return tuple(_text(word) for word in value)


def _object(value: t.Any) -> Json:
    if not isinstance(value, dict):
        raise TypeError("%r is no object" % (value,))
    return value


_READ: t.Dict[str, t.Callable[[t.Any], t.Any]] = {
    _WORDS: _words,
    _SET: lambda value: tuple(sorted(_object(value))),
    _TEXT: _text,
    _MAP: lambda value: {key: _text(each) for key, each in _object(value).items()},
    "raw object": _object,
}

# SPDX-License-Identifier: BSD-2-Clause
"""The OCI image config as a document: what an image is, told to other engines and by them.

Not here: manifests (distribution.py), and the records of the store (image.py).
"""
from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, image
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.image import HistoryStep, ImageConfig, Platform

EPOCH = "1970-01-01T00:00:00Z"
_MOST_LAYERS = 512


@dataclasses.dataclass(frozen=True)
class Document:
    """`diff_ids` bottom first; `created` and the platform's parts may be empty."""

    diff_ids: t.Tuple[str, ...]
    config: ImageConfig = ImageConfig()
    platform: Platform = Platform()
    created: str = ""
    author: str = ""
    history: t.Tuple[HistoryStep, ...] = ()

    def to_bytes(self) -> bytes:
        """The same document, the same bytes."""
        value: t.Dict[str, t.Any] = {
            "architecture": self.platform.architecture, "os": self.platform.os, "config": self.config.to_json(),
            "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids)},
        }
        if self.platform.variant:
            value["variant"] = self.platform.variant
        if self.author:
            value["author"] = self.author
        if self.created:
            value["created"] = self.created
        if fits(self.history, len(self.diff_ids)):
            value["history"] = [step.to_json() for step in self.history]
        return canonical(value)


def canonical(value: t.Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def fits(history: t.Sequence[HistoryStep], layers: int) -> bool:
    """Whether it tells of just these layers; another one is of no use to anybody."""
    return bool(history) and sum(not step.empty_layer for step in history) == layers


def parse(raw: bytes, subject: str) -> Document:
    """Raises Damaged, Unsupported."""
    value = distribution.parse_document(raw, subject)
    root = value.get("rootfs")
    diff_ids = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) > _MOST_LAYERS:
        raise Damaged("read", subject, "it names no layers, or more than %d" % _MOST_LAYERS)
    for diff_id in diff_ids:
        if not distribution.is_digest(diff_id):
            raise Damaged("read", subject, "%r is no digest of a layer" % (diff_id,))
    try:
        platform = Platform(*[_text(value, key) for key in ("os", "architecture", "variant")])
        found = Document(
            diff_ids=tuple(diff_ids), config=_config(value.get("config")), platform=platform, created=_text(value, "created"),
            author=_text(value, "author"), history=image.history_from_json(value.get("history")),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise Damaged("read", subject, str(error)) from error
    if platform.os not in ("", "linux"):
        raise Unsupported("use", subject, "it is an image for %s" % platform.os)
    return found if found.platform.os else dataclasses.replace(found, platform=platform._replace(os="linux"))


def _config(value: t.Any) -> ImageConfig:
    found = image.config_from_json(value) if value is not None else ImageConfig()
    for word in (*found.cmd, *found.entrypoint, *found.env, found.user, found.working_dir):
        if "\0" in word:
            raise ValueError("%r holds a NUL character" % word)
    return found


def _text(value: t.Mapping[str, t.Any], key: str) -> str:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise TypeError("%s: %r is no text" % (key, found))
    return found or ""

# SPDX-License-Identifier: BSD-2-Clause
"""cocker_image_info: images with what they cost and who needs them, whether they are whole, and what does not go together. Reads only.

Not here: how a tree is compared (storage/treecheck.py), and how layers are laid upon each other (storage/overlaytree.py).
"""
from __future__ import annotations

import collections
import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_use, inspect, stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import ImageQuery
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, layers, overlaytree, snapshots, treecheck

Shown = t.Dict[str, t.Any]

_MOST_FINDINGS = 100
# One per system: where two images have it, the upper one's hides what the lower one's says.
_SINGLE = {
    "package database": (
        "var/lib/dpkg/status", "var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages", "var/lib/rpm/Packages.db",
        "usr/lib/sysimage/rpm/rpmdb.sqlite", "lib/apk/db/installed", "usr/lib/apk/db/installed",
    ),
    "accounts": ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid"),
    "libraries": ("etc/ld.so.cache",),
    "certificates": ("etc/ssl/certs/ca-certificates.crt",),
    "release": ("etc/os-release", "usr/lib/os-release"),
}


def query(host: Host, wish: ImageQuery) -> Shown:
    """Raises NotFound for an image of the stack that is not there."""
    everything = images.all_images(host.layout).values
    found = everything if wish.name is None else stacks.listed(host, wish.name)
    facts = _Facts(host, everything, is_exact=wish.name is not None)
    shown = [facts.shown(record, verify=wish.verify) for record in found]
    result: Shown = {"exists": bool(found), "image": shown[-1] if shown and wish.name is not None else None, "images": shown}
    if wish.stack:
        result["conflicts"] = conflicts(host, stacks.resolved(host, wish.stack))
    return result


class _Facts:
    """`is_exact`: layers that nobody has measured are walked; a list of all images does without."""

    def __init__(self, host: Host, everything: t.Sequence[ImageRecord], *, is_exact: bool) -> None:
        self._host, self._is_exact = host, is_exact
        self._users = image_use.all_users(host)
        self._references = collections.Counter(layer for image in everything for layer in set(image.layers))
        self._sizes: t.Dict[str, t.Optional[int]] = {}
        self._findings: t.Dict[str, t.Optional[t.List[treecheck.Finding]]] = {}

    def shown(self, record: ImageRecord, *, verify: bool) -> Shown:
        result = inspect.image(record)
        sizes = {layer: self._size(layer) for layer in record.layers}
        known = [size for size in sizes.values() if size is not None]
        is_known = len(known) == len(sizes)
        shared = sum(size or 0 for layer, size in sizes.items() if self._references[layer] > 1)
        if is_known:
            result["Size"] = sum(known)
        result["SharedSize"] = shared if is_known else None
        result["UniqueSize"] = sum(known) - shared if is_known else None
        result["History"] = _history(record, sizes)
        result["UsedBy"] = self._users(record)
        if verify:
            result["Verified"], result["Damage"] = self._verified(record)
        return result

    def _size(self, layer_id: str) -> t.Optional[int]:
        if layer_id not in self._sizes:
            layer = layers.find(self._host.layout, layer_id)
            size = layer.size if layer is not None and layer.size >= 0 else None
            self._sizes[layer_id] = treecheck.size(self._host.layout.diff(layer_id)) if size is None and self._is_exact else size
        return self._sizes[layer_id]

    def _verified(self, record: ImageRecord) -> t.Tuple[t.Optional[bool], t.List[Shown]]:
        """None where something is not known: a layer that was a container's own has no list of what it had."""
        found: t.List[Shown] = []
        is_known = True
        for layer in record.layers:
            if layer not in self._findings:
                self._findings[layer] = treecheck.findings(self._host.layout.layer(layer))
            each = self._findings[layer]
            is_known = is_known and each is not None
            found += [_damage(layer, finding) for finding in each or ()]
        return False if found else True if is_known else None, found[:_MOST_FINDINGS]


def _damage(layer: str, finding: treecheck.Finding) -> Shown:
    details = {name: {"before": before, "now": now} for name, (before, now) in finding.details.items()}
    return {"Layer": layer, "Path": "/" + finding.path, "What": finding.what, "Details": details}


def _history(record: ImageRecord, sizes: t.Mapping[str, t.Optional[int]]) -> t.List[Shown]:
    """A line for each layer, the first at the bottom; lines that made no layer between them."""
    left = list(record.layers)
    shown: t.List[Shown] = []
    for line in record.history:
        layer = left.pop(0) if left and not line.empty_layer else None
        shown.append({
            "Created": line.created, "CreatedBy": line.created_by, "Comment": line.comment, "Author": line.author,
            "Layer": layer, "Size": sizes.get(layer) if layer is not None else 0,
        })
    said = {"Created": record.created, "CreatedBy": record.provenance.source, "Comment": "", "Author": ""}
    return shown + [{**said, "Layer": layer, "Size": sizes[layer]} for layer in left]


def conflicts(host: Host, found: t.Sequence[ImageRecord]) -> t.List[Shown]:
    """Files of which a system has one, where images of the stack bring different ones. By path."""
    owners: t.Dict[str, t.Dict[str, t.List[str]]] = {}
    for image in found:
        for path, layer in _single_files(host, image).items():
            owners.setdefault(path, {}).setdefault(layer, []).append(str(image.ref))
    order = snapshots.layer_order([image.layers for image in found])
    kinds = {path: kind for kind, paths in _SINGLE.items() for path in paths}
    return [
        {
            "path": "/" + path, "kind": kinds[path], "images": [name for names in by_layer.values() for name in names],
            "seen": by_layer[max(by_layer, key=order.index)][-1],
        }
        for path, by_layer in sorted(owners.items()) if len(by_layer) > 1
    ]


def _single_files(host: Host, image: ImageRecord) -> t.Dict[str, str]:
    """Path to the layer that has it."""
    paths = [host.layout.diff(layer) for layer in reversed(image.layers)]
    found: t.Dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        tree = overlaytree.Tree([path for path in paths if os.path.isdir(path)], stack)
        for path in (path for each in _SINGLE.values() for path in each):
            with contextlib.ExitStack() as inner:
                node = tree.find(path, inner)
                if node is not None and not node.is_directory:
                    found[path] = [layer for layer in reversed(image.layers) if os.path.isdir(host.layout.diff(layer))][node.layer]
    return found

# SPDX-License-Identifier: BSD-2-Clause
"""Named volumes. Data goes only with remove(), by name. Not here: who uses one; the engine knows, and refuses."""
from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import layers, owners, quotas, records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_NUMBERS = ("owner", "group", "mode", "size")


@dataclasses.dataclass(frozen=True)
class Volume:
    """volumes/<name>/volume.json. `created` is RFC 3339. `fresh`: no container has had it yet.

    `owner`, `group` and `mode` are those of the top directory where somebody has asked for them, also after it was filled anew.
    `size` is how many bytes it takes, and nothing more; a volume that was made without can have none later.
    `archive` is the digest of the file that it was restored from last, `tree` what it was like then (importdir.digest).
    """

    name: str
    created: str
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    fresh: bool = False
    owner: t.Optional[int] = None
    group: t.Optional[int] = None
    mode: t.Optional[int] = None
    size: t.Optional[int] = None
    archive: str = ""
    tree: str = ""


def _from_json(value: records.Json) -> Volume:
    labels = {str(key): str(each) for key, each in value["labels"].items()}
    numbers: t.Dict[str, t.Any] = {key: None if value.get(key) is None else int(value[key]) for key in _NUMBERS}
    texts: t.Dict[str, t.Any] = {key: str(value.get(key, "")) for key in ("archive", "tree")}
    return Volume(str(value["name"]), str(value["created"]), labels, bool(value.get("fresh", False)), **numbers, **texts)


def find(layout: Layout, name: str) -> t.Optional[Volume]:
    """Raises Damaged."""
    return records.load(layout.volume_record(name), _from_json)


def get(layout: Layout, name: str) -> Volume:
    found = find(layout, name)
    if found is None:
        raise NotFound("volume", name, "it does not exist")
    return found


def all_volumes(layout: Layout) -> records.Listing[Volume]:
    listing: records.Listing[Volume] = records.Listing()
    for name in layout.volume_names():
        listing.add(layout.volume_record(name), _from_json)
    return listing


def ensure(layout: Layout, volume: Volume) -> None:
    """There with these labels, top and size when it returns; its data is never touched. Whole or not at all. The caller holds its lock."""
    have = find(layout, volume.name)
    if have is not None:
        said = {key: value for key, value in dataclasses.asdict(volume).items() if key in _NUMBERS and value is not None}
        new = dataclasses.replace(have, labels=volume.labels, **said)
        describe(layout.volume_data(volume.name), new)
        _limit(layout.volume_data(volume.name), volume.size)
        if new != have:
            save(layout, new)
        return
    if os.path.lexists(layout.volume(volume.name)):
        raise Conflict("make", "volume %s" % volume.name, "%s is in the way, without a record" % layout.volume(volume.name))
    with layers.aside(layout.volumes) as path:
        quotas.make(os.path.join(path, "_data"), volume.size)
        os.chmod(os.path.join(path, "_data"), 0o755)
        describe(os.path.join(path, "_data"), volume)
        records.write(os.path.join(path, "volume.json"), dataclasses.asdict(volume))
        os.rename(path, layout.volume(volume.name))
    fs.fsync_dir(layout.volumes)


def _limit(data: str, size: t.Optional[int]) -> None:
    have = quotas.find(data) if size is not None else None
    if size is not None and have is not None and not quotas.is_met(size, have.limit):
        quotas.limit(data, size)


def describe(directory: str, volume: Volume) -> None:
    """The directory gets what the volume's top is wanted to have. What nobody asked for stays."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts, shift = os.fstat(fd), owners.Shift(None, owners.find(directory))
        owner = (facts.st_uid if volume.owner is None else shift.uid(volume.owner),
                 facts.st_gid if volume.group is None else shift.gid(volume.group))
        if owner != (facts.st_uid, facts.st_gid):
            os.fchown(fd, *owner)
        if volume.mode is not None:
            os.fchmod(fd, volume.mode)
    finally:
        os.close(fd)


def open_below(data: str, subpath: str) -> int:
    """O_PATH descriptor of what lies there, wherever links within the volume lead. Raises NotFound."""
    try:
        top = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return rootpath.open_in(top, subpath, os.O_PATH)
        finally:
            os.close(top)
    except OSError as error:
        raise NotFound("mount source", os.path.join(data, subpath), os.strerror(error.errno or errno.EIO)) from error


def save(layout: Layout, volume: Volume) -> None:
    records.write(layout.volume_record(volume.name), dataclasses.asdict(volume))


def remove(layout: Layout, name: str) -> None:
    """With its data. Idempotent. Conflict, with nothing lost, while something is mounted in it."""
    forget = quotas.forgetter(layout.volume_data(name))
    layers.remove_directory(layout.volume(name))
    forget()

# SPDX-License-Identifier: BSD-2-Clause
"""What a container mounts besides its root: named volumes, host paths, tmpfs; and how a task writes them.

Not here: whether a source exists (engine/containers.py looks before the first effect) and mount(2) (runtime/rootfs.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import changes, contentfile, names, units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

VOLUME = "volume"
BIND = "bind"
TMPFS = "tmpfs"
CONTENT = "content"
PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")

# What may be said of every mount -> what it says the opposite of; the second of a pair holds where nothing is said.
_FLAGS = {"noexec": "exec", "nosuid": "suid", "nodev": "dev"}
_USUAL = frozenset(_FLAGS.values())
MAPPED = "idmap"        # whatever belongs to a user of the host belongs to the container's user of this number
_USUAL_OF_TMPFS = {"exec", "nosuid", "nodev"}
_LONGEST_PERCENT = 3
_NUMBERS = ("uid", "gid", "nr_inodes")   # tmpfs(5)

_ACCEPTED = "SOURCE:TARGET[:OPTIONS] with OPTIONS from ro, rw, bind, rbind, nocopy, z, Z, idmap, %s, and a propagation (%s)" % (
    ", ".join([*_FLAGS, *_FLAGS.values()]), ", ".join(PROPAGATION))
_TMPFS_ACCEPTED = "size=SIZE or size=PERCENT%%, mode=OCTAL, uid=N, gid=N, nr_inodes=N, ro, rw, %s" % ", ".join([*_FLAGS, *_FLAGS.values()])
_OURS = ("/proc", "/sys", "/dev")


Words = t.Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Mount:
    """`source` is a volume's name, an absolute host path, or empty for tmpfs, content and a volume that is named after its container.

    `size` in bytes, or a part of the memory as `50%`, and `mode` are tmpfs's; `copy` (what the image has there, into a new volume) and
    `labels` a volume's; `create` (a directory that is not there) and `recursive` (with what is mounted below) a host path's. `flags` are
    further words of mount(8), sorted. `subpath` is what of a volume is mounted, relative to its top; a volume that is mounted so gets no
    copy.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = "rprivate"
    size: t.Union[None, int, str] = None
    mode: t.Optional[int] = None
    recursive: bool = True
    copy: bool = True
    create: bool = False
    labels: t.Optional[t.Mapping[str, str]] = None
    flags: t.Optional[Words] = None
    content: t.Optional[contentfile.Content] = None
    subpath: t.Optional[str] = None

    def to_json(self) -> t.Dict[str, t.Any]:
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}


def parse_volumes(values: t.Sequence[str], option: str = "volumes") -> t.Tuple[Mount, ...]:
    """Sorted by target. Raises Invalid, also where two mounts share a target."""
    return _unique([_parse_volume(str(value), option) for value in values], option)


def parse_tmpfs(values: t.Sequence[str], option: str = "tmpfs") -> t.Tuple[Mount, ...]:
    """`TARGET[:size=64M,mode=1777,ro]`. Raises Invalid."""
    return _unique([_parse_tmpfs(str(value), option) for value in values], option)


def parse_mount(given: t.Mapping[str, t.Any], option: str = "mounts") -> Mount:
    """One of the option `mounts`. Raises Invalid for what its type has no use for."""
    kind, target = given["type"] or VOLUME, _target(given["target"], given["target"], option + ".target")
    for key, of in _ONLY_FOR.items():
        if given[key] is not None and kind not in of:
            raise Invalid("%s.%s" % (option, key), "it is for type %s; %s is of type %s" % (" and ".join(of), target, kind))
    source = _mount_source(kind, given["source"], target, option + ".source")
    subpath = None if given["subpath"] is None else _subpath(given["subpath"], source, target, option)
    size, mode = given["tmpfs_size"], given["tmpfs_mode"]
    if given["propagation"] not in (None, *PROPAGATION):
        raise Invalid(option + ".propagation", "%r is not one of %s" % (given["propagation"], ", ".join(PROPAGATION)))
    if kind == CONTENT:
        written = contentfile.parse(given, option, mode=None if given["mode"] is None else _octal(given["mode"], option + ".mode"))
        return Mount(kind, "", target, read_only=given["read_only"] is not False, content=written)
    return Mount(
        kind, source, target, read_only=bool(given["read_only"]), propagation=given["propagation"] or "rprivate",
        size=None if size is None else _tmpfs_size(size, target, option + ".tmpfs_size"),
        mode=None if mode is None else _octal(mode, option + ".tmpfs_mode"),
        flags=_mount_flags(given["tmpfs_options"] or (), target, option + ".tmpfs_options"),
        recursive=not given["non_recursive"], copy=not (given["no_copy"] or subpath), create=bool(given["create_mountpoint"]),
        labels=given["labels"], subpath=subpath,
    )


_ONLY_FOR = {
    "propagation": (BIND,), "non_recursive": (BIND,), "create_mountpoint": (BIND,), "no_copy": (VOLUME,), "labels": (VOLUME,),
    "subpath": (VOLUME,),
    "tmpfs_size": (TMPFS,), "tmpfs_mode": (TMPFS,), "tmpfs_options": (TMPFS,), "source": (BIND, VOLUME),
    **dict.fromkeys(("content", "mode", "uid", "gid", "on_change", "signal"), (CONTENT,)),
}


def cost(before: t.Iterable[Mount], after: t.Iterable[Mount]) -> str:
    """Of a change: another content costs what its file says, anything else a restart."""
    old, new = ({mount.target: mount for mount in each} for each in (before, after))
    bare = [{target: dataclasses.replace(mount, content=None) for target, mount in each.items()} for each in (old, new)]
    said = {mount.content.on_change for mount in rewritten(old.values(), new.values()) if mount.content is not None}
    return changes.RESTART if bare[0] != bare[1] or contentfile.RESTART in said else changes.LIVE


def signals(before: t.Iterable[Mount], after: t.Iterable[Mount]) -> t.List[int]:
    """What has to be told to a container whose files have changed."""
    changed = [mount.content for mount in rewritten(before, after) if mount.content is not None]
    return sorted({content.signal for content in changed if content.on_change == contentfile.RELOAD})


def rewritten(before: t.Iterable[Mount], after: t.Iterable[Mount]) -> t.List[Mount]:
    """Those of `after` whose file is another one."""
    former = {mount.target: mount.content.file for mount in before if mount.content is not None}
    return [mount for mount in after if mount.content is not None and former.get(mount.target) != mount.content.file]


def _mount_flags(given: t.Sequence[t.Any], target: str, option: str) -> t.Optional[Words]:
    """Words as in the short form, or {WORD: null} and {WORD: VALUE}, as docker_container has them."""
    pairs = [pair for each in given for pair in (each.items() if isinstance(each, t.Mapping) else [(each, None)])]
    words = ["%s" % key if value in (None, "") else "%s=%s" % (key, value) for key, value in pairs]
    return _parse_tmpfs("%s:%s" % (target, ",".join(words)), option).flags


def _mount_source(kind: str, value: t.Optional[str], target: str, option: str) -> str:
    if kind == BIND:
        if not value or not value.startswith("/"):
            raise Invalid(option, "%s: an absolute path of the host is needed for type bind" % target)
        return _clean(value, option)
    return "" if not value else names.object_name(value, option)


def _subpath(value: str, source: str, target: str, option: str) -> str:
    if not source:
        raise Invalid(option + ".source", "%s: a subpath is one of a volume that has a name" % target)
    path = _clean(value, option + ".subpath")[1:]
    if value.startswith("/") or not path or ".." in path.split("/"):
        raise Invalid(option + ".subpath", "%r is no path below the top of the volume; it is relative, and has no `..`" % value)
    return path


def _octal(value: str, option: str) -> int:
    text = value[2:] if value.startswith("0o") else value
    if not text or len(text) > 5 or any(digit not in "01234567" for digit in text):
        raise Invalid(option, '%r is not an octal mode; quote it, such as "1777"' % value)
    return int(text, 8)


def merge(volumes: t.Sequence[Mount], tmpfs: t.Sequence[Mount]) -> t.Tuple[Mount, ...]:
    return _unique([*volumes, *tmpfs], "volumes")


def _parse_volume(value: str, option: str) -> Mount:
    parts = value.split(":")
    if len(parts) == 1:
        return Mount(VOLUME, "", _target(value, value, option))
    if len(parts) not in (2, 3):
        raise Invalid(option, "%r is not %s" % (value, _ACCEPTED))
    source, target = parts[0], _target(parts[1], value, option)
    read_only, propagation = False, "rprivate"
    more: t.Dict[str, t.Any] = {}
    for word in parts[2].split(",") if len(parts) == 3 else ():
        if word in ("ro", "rw"):
            read_only = word == "ro"
        elif word in PROPAGATION:
            propagation = word
        elif word in ("bind", "rbind"):
            more["recursive"] = word == "rbind"
        elif word == "nocopy":
            more["copy"] = False
        elif word in _FLAGS or word in _USUAL or word == MAPPED:
            more["flags"] = (*more.get("flags", ()), word)
        elif word not in ("", "z", "Z"):  # SELinux relabelling: nothing to do where no label is set
            raise Invalid(option, "%r in %r is not known; accepted is %s" % (word, value, _ACCEPTED))
    more["flags"] = _flags(more.get("flags", ()), value, option)
    if more["flags"] and MAPPED in more["flags"] and not source.startswith("/"):
        raise Invalid(option, "%r: idmap is for a path of the host; volumes are mapped in any case" % value)
    if source.startswith("/"):
        return Mount(BIND, _clean(source, option), target, read_only=read_only, propagation=propagation, **more)
    if source.startswith((".", "~")):
        raise Invalid(option, "%r: a host path must be absolute" % value)
    return Mount(VOLUME, names.object_name(source, option), target, read_only=read_only, propagation=propagation, **more)


def _parse_tmpfs(value: str, option: str) -> Mount:
    path, _colon, words = value.partition(":")
    mount = Mount(TMPFS, "", _target(path, value, option))
    flags = []
    for word in words.split(",") if words else ():
        key, _equals, given = word.partition("=")
        if key == "size":
            mount = dataclasses.replace(mount, size=_tmpfs_size(given, value, option))
        elif key == "mode" and given and all(digit in "01234567" for digit in given) and len(given) <= 5:
            mount = dataclasses.replace(mount, mode=int(given, 8))
        elif word in ("ro", "rw"):
            mount = dataclasses.replace(mount, read_only=word == "ro")
        elif word in _FLAGS or word in _USUAL or (key in _NUMBERS and given.isascii() and given.isdigit()):
            flags.append(word)
        else:
            raise Invalid(option, "%r in %r is not one of %s" % (word, value, _TMPFS_ACCEPTED))
    return dataclasses.replace(mount, flags=_flags(flags, value, option, usual=_USUAL_OF_TMPFS))


def _flags(words: t.Sequence[str], value: str, option: str, *, usual: t.Collection[str] = _USUAL) -> t.Optional[Words]:
    """Sorted, without those that hold anyway. Raises Invalid for two that contradict each other."""
    chosen: t.Dict[str, str] = {}
    for word in words:
        key = word.partition("=")[0]
        if chosen.setdefault(_FLAGS.get(key, key), word) != word:
            raise Invalid(option, "%r says %s and %s" % (value, chosen[_FLAGS.get(key, key)], word))
    return tuple(sorted(set(chosen.values()) - set(usual))) or None


def _tmpfs_size(given: str, value: str, option: str) -> t.Union[int, str]:
    if given.endswith("%"):
        number = given[:-1]
        if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_PERCENT and int(number)):
            raise Invalid(option, "%r: %s is no part of the memory, such as 50%%" % (value, given))
        return "%d%%" % int(number)
    size = units.parse_size(given, option)
    if size < 1:
        raise Invalid(option, "%r: a size above 0 is needed; without one it is half of the memory" % value)
    return size


def _target(path: str, value: str, option: str) -> str:
    if not path.startswith("/"):
        raise Invalid(option, "%r: the path in the container must be absolute" % value)
    target = _clean(path, option)
    if target == "/" or ".." in target.split("/"):
        raise Invalid(option, "%r: the path in the container may be neither / nor hold `..`" % value)
    if target in _OURS or target.startswith(("/proc/", "/sys/")):
        raise Invalid(option, "%r: %s belongs to the engine" % (value, target))
    return target


def _clean(path: str, option: str) -> str:
    """Double and trailing slashes and `.` mean nothing; `..` is left for the caller to judge."""
    if "\0" in path or "\n" in path:
        raise Invalid(option, "%r holds a control character" % path)
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _unique(mounts: t.Sequence[Mount], option: str) -> t.Tuple[Mount, ...]:
    seen: t.Dict[str, Mount] = {}
    for mount in mounts:
        if seen.setdefault(mount.target, mount) != mount:
            raise Invalid(option, "%s is mounted twice" % mount.target)
    return tuple(seen[target] for target in sorted(seen))

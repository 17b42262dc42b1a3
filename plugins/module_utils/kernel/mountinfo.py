# SPDX-License-Identifier: BSD-2-Clause
"""What is mounted where, read from /proc/PID/mountinfo (proc(5)). Not here: changing it, that is mounts.py."""
from __future__ import annotations

import os
import typing as t


class Entry(t.NamedTuple):
    """One mount. `options` are those of the mount, `super_options` those of its file system."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    mount_point: str
    options: t.Tuple[str, ...]
    optional: t.Tuple[str, ...]
    fstype: str
    source: str
    super_options: t.Tuple[str, ...]

    @property
    def is_shared(self) -> bool:
        return any(field.startswith("shared:") for field in self.optional)


def entries(pid: t.Union[int, str] = "self") -> t.List[Entry]:
    """In the order of the kernel: a mount comes after the one that it lies on."""
    with open("/proc/%s/mountinfo" % pid, "rb") as stream:
        return parse(stream.read())


def parse(text: bytes) -> t.List[Entry]:
    return [_entry(os.fsdecode(line)) for line in text.split(b"\n") if line]


def _entry(line: str) -> Entry:
    # Blanks inside a field are escaped, so the first lone "-" after the sixth field ends the optional ones.
    fields = line.split(" ")
    dash = fields.index("-", 6)
    fstype, source, super_options = (fields[dash + 1:] + ["", ""])[:3]
    return Entry(
        mount_id=int(fields[0]),
        parent_id=int(fields[1]),
        device=fields[2],
        root=unescape(fields[3]),
        mount_point=unescape(fields[4]),
        options=tuple(fields[5].split(",")),
        optional=tuple(fields[6:dash]),
        fstype=unescape(fstype),
        source=unescape(source),
        super_options=tuple(super_options.split(",")),
    )


def unescape(field: str) -> str:
    r"""The kernel writes blank, tab, newline, `#` and backslash as three octal digits."""
    head, *rest = field.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)


def is_mountpoint(path: str) -> bool:
    """Whether something is mounted exactly there, be it a file or a directory."""
    wanted = os.path.realpath(path)
    return any(entry.mount_point == wanted for entry in entries())


def holding(path: str) -> Entry:
    """The mount that the path is on. The kernel always has one for the root."""
    wanted = os.path.realpath(path).rstrip("/") + "/"
    found = [entry for entry in entries() if wanted.startswith(entry.mount_point.rstrip("/") + "/")]
    return max(reversed(found), key=lambda entry: len(entry.mount_point))


def below(path: str) -> t.List[Entry]:
    """Mounts at and below the path, deepest and latest first: the order in which they can be unmounted."""
    top = os.path.realpath(path).rstrip("/")
    found = [entry for entry in entries() if (entry.mount_point + "/").startswith(top + "/")]
    found.reverse()
    return sorted(found, key=lambda entry: -entry.mount_point.rstrip("/").count("/"))

# SPDX-License-Identifier: BSD-2-Clause
"""What a container writes, line by line, into docker's json-file lines `{"log","stream","time"}` rotated by size, or into a journal.

Byte exact: a byte that is no UTF-8 stands as a lone surrogate (\\udc80 to \\udcff), so that reading back with
surrogateescape gives the same bytes. Not here: the journal's protocol (journal.py), who reads (engine/logs.py).
"""
from __future__ import annotations

import contextlib
import errno
import json
import os
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import journal
from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver, settings as settings_
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state

NAME = "container.log"
LONGEST = 16 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.ENOENT)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def split(pending: bytes, *, last: bool = False) -> t.Tuple[t.List[bytes], bytes]:
    """Pure: whole lines, longer ones in pieces of LONGEST without a newline, and what is still to come; all of it if `last`."""
    lines = pending.split(b"\n")
    rest = lines.pop()
    found: t.List[bytes] = []
    for line in lines:
        whole = line + b"\n"
        while len(whole) > LONGEST:
            place = _boundary(whole)
            found.append(whole[:place])
            whole = whole[place:]
        found.append(whole)
    while len(rest) > LONGEST or (last and rest):
        place = _boundary(rest)
        found.append(rest[:place])
        rest = rest[place:]
    return found, rest


def _boundary(line: bytes) -> int:
    """Where to cut: not inside a character, if these are characters."""
    if len(line) <= LONGEST:
        return len(line)
    for place in range(LONGEST, LONGEST - 4, -1):
        if line[place] & 0xC0 != 0x80:
            return place
    return LONGEST


class Writer:
    """The files of one container. A full disk loses lines, counts them and never stops the container."""

    def __init__(self, folder: str, *, size: int, files: int) -> None:
        self._folder, self._size, self._files = folder, size, files
        self._fd, self._written = -1, 0
        self._second, self._text = -1, ""
        self.lost = 0
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._open()

    def _open(self) -> None:
        self._fd = os.open(os.path.join(self._folder, NAME), _FLAGS, 0o600)
        self._written = os.fstat(self._fd).st_size

    def append(self, stream: str, lines: t.Sequence[bytes]) -> None:
        when = self._now()
        batch: t.List[bytes] = []
        size = 0
        for line in lines:
            entry = '{"log":%s,"stream":"%s","time":"%s"}\n' % (json.dumps(line.decode("utf-8", "surrogateescape")), stream, when)
            if self._written + size + len(entry) > self._size:
                self._write(batch)
                batch, size = [], 0
                self._rotate()
            batch.append(entry.encode())
            size += len(entry)
        self._write(batch)

    def _now(self) -> str:
        second, rest = divmod(time.time_ns(), 10**9)
        if second != self._second:
            self._second, self._text = second, state.stamp(second * 10**9)[:19]
        return "%s.%09dZ" % (self._text, rest)

    def _write(self, batch: t.Sequence[bytes]) -> None:
        if not batch:
            return
        content = b"".join(batch)
        done = 0
        try:
            if self._fd < 0:
                self._open()
            while done < len(content):
                done += os.write(self._fd, content[done:])
        except OSError:
            done = content.rfind(b"\n", 0, done) + 1        # no half line stays: the reader's format is lines
            self.lost += len(content) - done
        self._written += done
        if done < len(content) and self._fd >= 0:
            with tolerate(*_FULL):
                os.ftruncate(self._fd, self._written)

    def _rotate(self) -> None:
        if not self._written:
            return      # a single line above the size: it gets a file for itself
        path = os.path.join(self._folder, NAME)
        if self._files == 1:
            os.ftruncate(self._fd, 0)
            self._written = 0
            return
        with tolerate(*_FULL):
            for number in range(self._files - 1, 0, -1):
                older = "%s.%d" % (path, number)
                newer = "%s.%d" % (path, number - 1) if number > 1 else path
                with tolerate(errno.ENOENT):
                    os.rename(newer, older)
            os.close(self._fd)
            self._fd = -1
            self._open()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Silence:
    """The driver "none"; also what is left when the log cannot be opened: then everything counts as lost."""

    def __init__(self, *, counting: bool = False) -> None:
        self._counting = counting
        self.lost = 0

    def append(self, stream: str, lines: t.Sequence[bytes]) -> None:
        self.lost += sum(map(len, lines)) if self._counting else 0

    def close(self) -> None:
        """Nothing is open."""


Sink = t.Union[Writer, Silence, journal.Journal]


def open_sink(folder: str, settings: settings_.Settings) -> Sink:
    """A log that cannot be written is no reason for a container to die."""
    if settings.log_driver == "none":
        return Silence()
    try:
        if settings.log_driver == "journald":
            return journal.Journal(settings.log_fields)
        drop_beyond(folder, settings.log_files)
        return Writer(folder, size=settings.log_size, files=settings.log_files)
    except OSError:
        return Silence(counting=True)


def drop_beyond(folder: str, files: int) -> None:
    """Older files than are wanted now, after a change of their number. Idempotent; what cannot be removed stays."""
    entries: t.List[str] = []
    with contextlib.suppress(OSError):
        entries = os.listdir(folder)
    for entry in entries:
        name, _dot, number = entry.rpartition(".")
        if name == NAME and number.isascii() and number.isdigit() and int(number[:20]) >= files:
            with contextlib.suppress(OSError):      # somebody else may be at it, too
                os.unlink(os.path.join(folder, entry))


class Log:
    """Streams cut into lines, on their way into one sink, which may change under them. `settings` are asked for when it opens."""

    def __init__(self, folder: str, settings: t.Callable[[], settings_.Settings]) -> None:
        self._folder, self._settings = folder, settings
        self._sink: t.Optional[Sink] = None         # opened by the first line: many containers say nothing
        self._pending: t.Dict[str, bytes] = {}
        self._lost = 0

    @property
    def lost(self) -> int:
        return self._lost + (self._sink.lost if self._sink else 0)

    def add(self, stream: str, content: bytes) -> None:
        """Empty content is the stream's end."""
        pending = self._pending.pop(stream, b"") + content
        lines, rest = split(pending, last=not content)
        if rest:
            self._pending[stream] = rest
        if lines:
            self._sink = self._sink or open_sink(self._folder, self._settings())
            self._sink.append(stream, lines)

    def change(self) -> None:
        """Other settings from the next line on; what is begun of a line stays, files beyond their number do not."""
        self._drop_sink()
        settings = self._settings()
        if settings.log_driver == logdriver.JSON_FILE:
            drop_beyond(self._folder, settings.log_files)

    def close(self) -> None:
        """What is begun of a line is written. The next line opens it again."""
        for stream in sorted(self._pending):
            self.add(stream, b"")
        self._drop_sink()

    def _drop_sink(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._lost, self._sink = self.lost, None


def open_own(folder: str) -> Log:
    """Of a command beside the container's own process: in files, whatever the container's log is."""
    return Log(folder, settings_.Settings)

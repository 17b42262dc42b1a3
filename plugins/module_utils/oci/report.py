# SPDX-License-Identifier: BSD-2-Clause
"""What a runtime says of itself: lines for a log file, in logrus' two forms, and what is said to whoever called it.

Not here: what is said (main.py).
"""
from __future__ import annotations

import json
import os
import sys
import time
import typing as t

_TEXT, _JSON = "text", "json"
FORMATS = (_TEXT, _JSON)


class Report:
    """`path` is the log file, empty for stderr. A log that cannot be opened is an OSError here, before anything is done."""

    def __init__(self, path: str = "", form: str = _TEXT, *, debug: bool = False) -> None:
        self._form, self._debug = form, debug
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644) if path else -1

    def error(self, text: str) -> None:
        """In the log, and on stderr in any case."""
        self._write("error", text)
        if self._fd >= 0:
            sys.stderr.write(text + "\n")

    def warning(self, text: str) -> None:
        self._write("warning", text)

    def debug(self, text: str) -> None:
        if self._debug:
            self._write("debug", text)

    def _write(self, level: str, text: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._form == _JSON:
            line = json.dumps({"level": level, "msg": text, "time": moment}, separators=(",", ":"), ensure_ascii=False)
        else:
            line = 'time="%s" level=%s msg=%s' % (moment, level, json.dumps(text, ensure_ascii=False))
        if self._fd >= 0:
            os.write(self._fd, os.fsencode(line) + b"\n")
        else:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def say(text: str) -> None:
    sys.stdout.write(text)


Say = t.Callable[[str], None]

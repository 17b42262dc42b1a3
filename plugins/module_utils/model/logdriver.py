# SPDX-License-Identifier: BSD-2-Clause
"""What is said about a container's log: drivers, their options, the fields that a journal gets. Pure, and small: the launcher reads it.

Not here: writing a log (init/logs.py, init/journal.py) and reading one (engine/logs.py).
"""
from __future__ import annotations

import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

JSON_FILE, JOURNALD, NONE = "json-file", "journald", "none"
DRIVERS = (JSON_FILE, JOURNALD, NONE)
DEFAULT_SIZE, DEFAULT_FILES = 10 * 1024 * 1024, 3
UNLIMITED_SIZE = (1 << 63) - 1
MAX_SIZE, MAX_FILE, TAG = "max-size", "max-file", "tag"
OPTIONS: t.Dict[str, t.Tuple[str, ...]] = {JSON_FILE: (MAX_SIZE, MAX_FILE), JOURNALD: (TAG,), NONE: ()}
OPTION = "log_options"
JOURNAL = "/run/systemd/journal/socket"
_OWN_FIELDS = ("PRIORITY", "CONTAINER_PARTIAL_MESSAGE", "MESSAGE")

Fields = t.Tuple[t.Tuple[str, str], ...]


def refuse_foreign(driver: t.Optional[str], options: t.Optional[t.Mapping[str, str]]) -> None:
    """Raises Invalid for an option that the driver does not have; without a driver, that none has."""
    drivers = DRIVERS if driver is None else (driver,)
    known = sorted(name for each in drivers for name in OPTIONS[each])
    for name in options or ():
        if name not in known:
            accepted = "it takes " + ", ".join(known) if known else "it takes none"
            raise Invalid(OPTION, "%s is no option of the log driver%s; %s" % (name, "s" if driver is None else " " + driver, accepted))


def fields(text: str) -> Fields:
    """What every message to the journal carries, of a JSON object. ValueError where it is none, or a name is not the journal's to take."""
    value = json.loads(text) if text else {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("an object of text is wanted")
    for name in value:
        letters = name.replace("_", "")
        if name in _OWN_FIELDS or not (letters.isascii() and letters.isalnum() and name[0].isalpha() and name == name.upper()):
            raise ValueError("%r is no name of a field" % name)
    return tuple(sorted(value.items()))

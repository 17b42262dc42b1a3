# SPDX-License-Identifier: BSD-2-Clause
"""What is said of containers and changes nothing: state, list, ps.

Not here: counters (events.py), what this runtime can do (features.py).
"""
from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import records

Say = t.Callable[[str], None]


def describe(root: str, record: records.Record) -> t.Dict[str, t.Any]:
    """In the order of runc's."""
    found = records.describe(record, records.status(root, record))
    answer = {
        "ociVersion": found["ociVersion"], "id": found["id"], "pid": found["pid"], "status": found["status"], "bundle": found["bundle"],
        "rootfs": record.rootfs, "created": record.created,
    }
    if "annotations" in found:
        answer["annotations"] = found["annotations"]
    return dict(answer, owner="")


def state(root: str, name: str, say: Say) -> None:
    say(json.dumps(describe(root, records.get(root, name)), indent=2) + "\n")


def containers(root: str, say: Say, *, form: str, quiet: bool) -> None:
    """`form` is table or json."""
    found = [record for record in (records.find(root, name) for name in records.names(root)) if record is not None]
    if quiet:
        say("".join(record.id + "\n" for record in found))
        return
    rows = [dict(describe(root, record), owner=_user(record.owner)) for record in found]
    if form == "json":
        say(json.dumps(rows or None, separators=(",", ":")))
        return
    titles = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")
    say(_table([titles, *[tuple(str(row[title.lower()]) for title in titles) for row in rows]]))


def _table(rows: t.Sequence[t.Sequence[str]]) -> str:
    widths = [max(12, *(len(row[place]) + 3 for row in rows)) for place in range(len(rows[0]))]
    return "".join("".join(word.ljust(width) for word, width in zip(row[:-1], widths)) + row[-1] + "\n" for row in rows)


def _user(number: int) -> str:
    import pwd  # only the list asks
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return "#%d" % number


def processes(root: str, name: str, words: t.Sequence[str], say: Say, *, form: str) -> None:
    """As the host's ps shows them, or their numbers. `words` are options for it."""
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
    record = records.get(root, name)
    pids = factory.from_paths(record.cgroups).procs()
    if form == "json":
        say(json.dumps(pids, separators=(",", ":")) + "\n" if pids else "null\n")
        return
    lines = _ps(words or ("-ef",)).splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise CockerError("couldn't find PID field in ps output")
    column = titles.index("PID")
    shown = [line for line in lines[1:] if line.split()[column:column + 1] and line.split()[column] in map(str, pids)]
    say("\n".join([lines[0], *shown]) + "\n")


def _ps(words: t.Sequence[str]) -> str:
    heard, told = os.pipe()
    try:
        pid = os.posix_spawnp("ps", ["ps", *words], dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, told, 1)])
    except FileNotFoundError as error:
        raise CockerError("ps: executable file not found in $PATH") from error
    finally:
        os.close(told)
    with open(heard, "rb") as stream:
        text = stream.read()
    if os.waitpid(pid, 0)[1]:
        raise CockerError("ps", " ".join(words), "it failed")
    return os.fsdecode(text)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container engine could leave behind, before and after: a fixture for root tests, a command for everything else.

    python tests/leakcheck.py save FILE
    python tests/leakcheck.py check FILE [PATIENCE]      # exit code 1 and a list, if something leaked

Other programs on the machine come and go, so processes and cgroups count only where they are recognisably ours.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

Snapshot = t.Dict[str, t.List[str]]

OURS = "cocker"
PATIENCE = 20.0         # seconds that a teardown in the background (a supervisor that ends) may take on a busy machine
CGROUP_ROOT = "/sys/fs/cgroup"
STATE_DIRECTORIES = ("/run/cocker",)
KEPT = ("engine", "python")
PROGRAMS = "/run/cocker/python/"
NETNS_PINS = "/run/netns"
VOLATILE_JSON = {"handle", "bytes", "packets", "metainfo", "valid_life_time", "preferred_life_time", "expires", "cache", "used", "age"}


def snapshot(descendants_of: int = 0) -> Snapshot:
    """Everything by kind. `descendants_of`: also count every process below that one, whatever its name."""
    return {
        "mounts": mounts(),
        "links and addresses": json_lines(["ip", "-j", "address", "show"], ("ifname", "link_type", "mtu", "addr_info")),
        "routes": [line for family in ("-4", "-6") for line in json_lines(["ip", "-j", family, "route", "show", "table", "all"])],
        "nft rules": nft_rules(),
        "namespace pins": listing(NETNS_PINS),
        "state files": [path for top in STATE_DIRECTORIES for path in walk(top)],
        "cgroups": cgroups(),
        "processes": processes(descendants_of),
    }


def compare(before: Snapshot, after: Snapshot) -> t.List[str]:
    """One line for each difference; what vanished counts too, except for processes and cgroups."""
    lines = []
    for kind, now in after.items():
        then = before.get(kind, [])
        lines += ["%s: new: %s" % (kind, item) for item in multiset_difference(now, then)]
        if kind not in ("processes", "cgroups"):
            lines += ["%s: gone: %s" % (kind, item) for item in multiset_difference(then, now)]
    return lines


def settled(before: Snapshot, descendants_of: int = 0, patience: float = PATIENCE) -> t.List[str]:
    """The differences that are still there when everything had time to end."""
    deadline = time.monotonic() + patience
    while True:
        leaks = compare(before, snapshot(descendants_of))
        if not leaks or time.monotonic() > deadline:
            return leaks
        time.sleep(0.05)


def multiset_difference(items: t.Sequence[str], others: t.Sequence[str]) -> t.List[str]:
    rest = list(others)
    found = []
    for item in items:
        if item in rest:
            rest.remove(item)
        else:
            found.append(item)
    return found


def mounts() -> t.List[str]:
    lines = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return sorted("%s on %s" % (line.rpartition(" - ")[2].split(" ")[0], line.split(" ")[4]) for line in lines
                  if not line.split(" ")[4].startswith(PROGRAMS))


def json_lines(command: t.Sequence[str], keep: t.Sequence[str] = ()) -> t.List[str]:
    return sorted(json.dumps(stripped({key: value for key, value in entry.items() if not keep or key in keep}), sort_keys=True)
                  for entry in run_json(command) or [] if entry)


def nft_rules() -> t.List[str]:
    found = run_json(["nft", "-j", "list", "ruleset"]) or {}
    return sorted(json.dumps(stripped(entry), sort_keys=True) for entry in found.get("nftables", []) if "metainfo" not in entry)


def run_json(command: t.Sequence[str]) -> t.Any:
    """None where the program is missing or prints nothing."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return None
    return json.loads(done.stdout) if done.stdout.strip() else None


def stripped(value: t.Any) -> t.Any:
    """Without counters, handles and clocks, which change by themselves."""
    if isinstance(value, dict):
        return {key: stripped(item) for key, item in value.items() if key not in VOLATILE_JSON}
    return [stripped(item) for item in value] if isinstance(value, list) else value


def listing(path: str) -> t.List[str]:
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def walk(top: str) -> t.List[str]:
    """Files, and the state directories of containers. The engine keeps the empty directories that it makes for its locks, and, on a host
    without a store, its own compiled copy. The OCI runtime has the host's programs there, mounted read-only."""
    found = []
    for where, directories, files in os.walk(top):
        if where == top:
            directories[:] = [name for name in directories if name not in KEPT]
        found += [os.path.join(where, name) for name in files + (directories if os.path.basename(where) == "containers" else [])]
    return sorted(found)


def cgroups() -> t.List[str]:
    """Below a parent of ours, in every hierarchy."""
    found = []
    for where, directories, _files in os.walk(CGROUP_ROOT):
        ours = any(part.startswith(OURS) for part in where[len(CGROUP_ROOT):].split("/"))
        found += [os.path.join(where, name) for name in directories if ours]
    return sorted(found)


def processes(descendants_of: int = 0) -> t.List[str]:
    """As `pid start_time name`, so that a pid used again is another process. Zombies of ours count."""
    table = {pid: facts for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) for facts in [process_facts(pid)] if facts}
    return sorted("%d %s %s" % (pid, start, name) for pid, (parent, start, name, ours) in table.items()
                  if pid != os.getpid() and (ours or descendants_of and is_below(pid, descendants_of, table)))


def process_facts(pid: int) -> t.Optional[t.Tuple[int, str, str, bool]]:
    """(parent, start time, name, is it ours); None for one that has just ended."""
    try:
        directory = pathlib.Path("/proc/%d" % pid)
        stat = directory.joinpath("stat").read_text(errors="replace")
        command = directory.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        groups = directory.joinpath("cgroup").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, _bracket, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    ours = name.startswith(OURS + ":") or command.startswith(OURS + ":") or bool(re.search(r"/%s(/|$)" % OURS, groups, re.M))
    return int(fields[1]), fields[19], command or name, ours


def is_below(pid: int, ancestor: int, table: t.Mapping[int, t.Tuple[int, str, str, bool]]) -> bool:
    while pid in table:
        pid = table[pid][0]
        if pid == ancestor:
            return True
    return False


def main(arguments: t.Sequence[str]) -> int:
    if len(arguments) not in (2, 3) or arguments[0] not in ("save", "check"):
        print(__doc__, file=sys.stderr)
        return 2
    verb, path = arguments[:2]
    if verb == "save":
        pathlib.Path(path).write_text(json.dumps(snapshot()), encoding="utf-8")
        return 0
    before = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    leaks = settled(before, patience=float(arguments[2]) if arguments[2:] else PATIENCE)
    print("\n".join(leaks) if leaks else "nothing leaked")
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

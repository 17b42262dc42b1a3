# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, as one-line sources, what this host's apt uses for one suite (and its -updates, -security ...); or the mirror given.

usage: python -c "$(cat apt_sources.py)" SUITE [MIRROR]
"""
from __future__ import annotations

import glob
import sys


def read(path):
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        return ""


def wanted(name, suite):
    return name == suite or name.startswith((suite + "-", suite + "/"))


def one_line(text):
    """(options, address, suite, components) of each `deb` line."""
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        options = []
        if words[1:2] and words[1].startswith("["):
            end = [word.endswith("]") for word in words].index(True)
            options = " ".join(words[1:end + 1]).strip("[] ").split()
            words = words[:1] + words[end + 1:]
        if len(words) > 2:
            yield options, words[1], words[2], words[3:]


def stanzas(text):
    for block in text.split("\n\n"):
        fields, last = {}, ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and last:
                fields[last] += "\n" + line.strip()
            elif ":" in line:
                last, _colon, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        yield fields


def deb822(text):
    """The same from `.sources` files. A key written into the stanza itself cannot be said in one line: such a source is left out."""
    for fields in stanzas(text):
        signed_by = fields.get("signed-by", "")
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no" or "BEGIN PGP" in signed_by:
            continue
        options = ["signed-by=" + signed_by] if signed_by else []
        for address in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield options, address, suite, fields.get("components", "").split()


def sources():
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list")):
        yield from one_line(read(path))
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        yield from deb822(read(path))


def main(suite, mirror=""):
    entries = [([], mirror, suite, ["main"])] if mirror else [entry for entry in sources() if wanted(entry[2], suite)]
    lines = []
    for options, address, name, components in entries:
        middle = ["[%s]" % " ".join(options)] if options else []
        line = " ".join(["deb", *middle, address, name, *components])
        if line not in lines:
            lines.append(line)
    return "\n".join(lines)


print(main(*sys.argv[1:]))

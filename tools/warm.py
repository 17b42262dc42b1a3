# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes plugins/module_utils/oci/warm.py: the functions that `cocker-runtime` calls for usual containers.

usage: tests/box.sh python tools/warm.py [--check]      as root, with Python 3.11 or newer as the host's

With --check nothing is written, and what sleeps although it is called is said; tests/root/test_oci_warm.py does so. A list that is
old makes a start slower, and nothing else.
"""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import typing as t

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TREE / ".build/tree")]

from ansible_collections.cocker.engine.tests.root import ocilab  # noqa: E402

TARGET = TREE / "plugins/module_utils/oci/warm.py"
PYTHON = "/usr/bin/python3"
INDENT = " " * 8
MARK = "warm:"
# Put into an interpreter before the copy's first code: the first call of each of our functions is said, by the forked process, too.
TRACED = """
import marshal, os, sys
said, first = set(), os.getpid()
def tell(frame, event, _argument):
    code = frame.f_code
    if event == "call" and code not in said:
        said.add(code)
        file = code.co_filename.partition("/module_utils/")[2]
        sleeps = code.co_names[:1] == ("_unfolded_wake",)                   # what stands in for all that do has the name of one of them
        if file and code.co_flags & 1 and "<" not in code.co_qualname and not sleeps:       # no body of a class or a module
            slept = frame.f_back.f_code.co_name == "wake"
            os.write(2, ("%s%%d %%d %%s %%s\\n" %% (os.getpid() != first, slept, file, code.co_qualname)).encode())
space = {"__name__": "cocker"}
copy = sys.argv.pop(1)
exec(marshal.loads(open(copy + "/first", "rb").read()), space)
del sys.argv[0]
space["is_protected"] = lambda: True
sys.setprofile(tell)
space["go"](copy)
""" % MARK
HEAD = '''# SPDX-License-Identifier: BSD-2-Clause
"""The functions that are called whenever a container is made or entered, by file: they are read at the start, the others when they are
called (engine/linking.py). FORKED are those that the container's first process calls, which lie together. What is not here works as well,
and takes a little longer. Written by tools/warm.py; no file imports this.
"""
from __future__ import annotations

'''


class Call(t.NamedTuple):
    """`forked`: after the fork; `slept`: as the list is now."""

    forked: bool
    slept: bool
    file: str
    function: str


def called(folder: pathlib.Path) -> t.Set[Call]:
    """Of a run, a creation and an exec."""
    rootfs = ocilab.make_rootfs(folder / "rootfs")
    program = ocilab.pack(folder / "cocker-runtime", PYTHON)
    bundle = ocilab.Bundle(folder / "bundle", rootfs)
    runtime = ocilab.Runtime(program, folder, bundle)
    try:
        runtime("--version")
        copy = next((folder / "engine").glob("cli-*"))
        bundle.args("true")
        runtime("run", "zero")              # the first one makes a part of the copy
        said = _traced(runtime, copy, "run", "one")
        bundle.args("sleep", "1000")
        said += _traced(runtime, copy, "create", "two")
        runtime("start", "two")
        runtime("exec", "two", "true")
        said += _traced(runtime, copy, "exec", "two", "true")
    finally:
        runtime.close()
    found = [line[len(MARK):].split() for line in said.splitlines() if line.startswith(MARK)]
    return {Call(forked == "1", slept == "1", file, function) for forked, slept, file, function in found}


def _traced(runtime: ocilab.Runtime, copy: pathlib.Path, *words: str) -> str:
    runtime.bundle.write(runtime.root.name)
    command = runtime.command(*words)
    with tempfile.TemporaryFile() as heard:     # not a pipe, which the container's process would hold open
        subprocess.run([PYTHON, "-I", "-S", "-X", "utf8", "-c", TRACED, str(copy), *command], cwd=runtime.bundle.path, env=runtime.env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=heard, check=True, timeout=60)
        heard.seek(0)
        return heard.read().decode()


def table(name: str, found: t.Iterable[t.Tuple[str, str]]) -> str:
    by_file: t.Dict[str, t.List[str]] = {}
    for file, function in sorted(set(found)):
        by_file.setdefault(file[:-len(".py")].replace("/", "."), []).append(function)
    lines = []
    for file, functions in by_file.items():
        text = '"%s",' % '", "'.join(functions)
        listed = textwrap.wrap(text, 132, initial_indent=INDENT, subsequent_indent=INDENT, break_long_words=False)
        lines += ['    "%s": (' % file, *listed, "    ),"]
    return "%s = {\n%s\n}\n" % (name, "\n".join(lines))


def main(arguments: t.Sequence[str]) -> int:
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        found = called(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if "--check" in arguments:
        slept = {"%s: %s" % (call.file, call.function) for call in found if call.slept}
        print("\n".join(sorted(slept)))
        return int(bool(slept))
    every, after = ([(call.file, call.function) for call in found if call.forked or not only] for only in (False, True))
    TARGET.write_text(HEAD + table("WARM", every) + table("FORKED", after))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("HOME", "/root")
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import os
import pathlib
import posix
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import begin, copying
from ansible_collections.cocker.engine.plugins.module_utils.engine import linking, unfolding
from ansible_collections.cocker.engine.plugins.module_utils.oci import warm

UTILS = pathlib.Path(__file__).resolve().parents[3] / "plugins/module_utils"
FUNCTIONS = '''
import contextlib
import typing as t
from ansible_collections.cocker.engine.plugins.module_utils.kernel import other, third as named
from ansible_collections.cocker.engine.plugins.module_utils.kernel.other import VALUE

LIMIT = 3

def plain(one, two=LIMIT, *more, three: int = 4, **rest):
    """Its defaults are those of the moment when it was defined."""
    return one, two, more, three, rest, LIMIT

def counting(end):
    for number in range(end):
        yield number

@contextlib.contextmanager
def held(value):
    yield value

class Thing(t.NamedTuple):
    size: int = 1

    def __str__(self):
        return "thing of %d" % self.__hidden()

    def __hidden(self):
        return self.size

    @property
    def double(self):
        return self.size * 2

    @classmethod
    def made(cls, size):
        return cls(size)

    @staticmethod
    def alone(value="x"):
        return value

class Base:
    def name(self):
        return "base"

class Derived(Base):
    def name(self):
        return "derived from " + super().name()
'''
USED = '''
with sample.held(5) as held:
    found = [sample.plain(1), sample.plain(1, 2, 3, three=5, four=6), sample.plain(1), list(sample.counting(3)), held, str(sample.Thing(7)),
             sample.Thing(7).double, sample.Thing.made(3), sample.Thing.alone(), sample.Thing.alone(value=1), sample.Derived().name(),
             sample.other.VALUE, sample.named.__name__, sample.VALUE]
'''
RUN = '''
import sys
space = {"__name__": "cocker"}
exec(open(sys.argv[1]).read(), space)
space["_EXTENSIONS"] = ()
space["_load"](sys.argv[2])
from ansible_collections.cocker.engine.plugins.module_utils.kernel import sample
%s
sys.stdout.write(repr(found) + repr([name for name in sys.modules if "cocker" in name]))
'''


def sources(*texts: t.Tuple[str, str]) -> t.Dict[str, t.Tuple[str, bytes]]:
    found: t.Dict[str, t.Tuple[str, bytes]] = {}
    for name, text in texts:
        parts = (linking.PACKAGE + name).split(".")
        for depth in range(1, len(parts)):
            found[".".join(parts[:depth])] = ("/copy/%s/__init__.py" % "/".join(parts[:depth]), b"")
        found[".".join(parts)] = ("/copy/%s.py" % "/".join(parts), text.encode())
    return found


def link(given: t.Mapping[str, t.Tuple[str, bytes]], roots: t.Sequence[str], warm_: t.Mapping[str, t.Sequence[str]]) -> bytes:
    return linking.linked(given, [linking.PACKAGE + root for root in roots], warm_, warm_, vars(unfolding))


@pytest.mark.parametrize("warm_", [{}, {"kernel.sample": ("plain", "Thing.__str__", "Thing.__new__")}], ids=("asleep", "awake"))
def test_functions_that_sleep_do_what_they_did(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, warm_: t.Dict[str, t.Any]) -> None:
    monkeypatch.setattr(linking, "_LEAST", 0)
    names = ("model.unfolded", "kernel.sample", "kernel.other", "kernel.third")
    texts = ((UTILS / "model/unfolded.py").read_text(), FUNCTIONS, "VALUE = 8\n", "")
    (tmp_path / "begin").write_bytes(link(sources(*zip(names, texts)), ["kernel.sample"], warm_))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", RUN % USED, str(UTILS / "cli/begin.py"), str(tmp_path / "begin")],
                          capture_output=True, text=True, check=True)
    assert done.stdout.partition("]['ansible")[0] + "]" == (
        "[(1, 3, (), 4, {}, 3), (1, 2, (3,), 5, {'four': 6}, 3), (1, 3, (), 4, {}, 3), [0, 1, 2], 5, 'thing of 7', 14, Thing(size=3), 'x', 1,"
        " 'derived from base', 8, 'ansible_collections.cocker.engine.plugins.module_utils.kernel.third', 8]")


def test_a_module_comes_after_what_it_imports() -> None:
    given = sources(("oci.a", "from %soci import b\nfrom %smodel.c import X\n" % ((linking.PACKAGE,) * 2)), ("oci.b", "import os\n"), ("model.c", "X = 1\n"),
                    ("oci.d", ""))
    found = [name[len(linking.PACKAGE):] for name in linking.ordered(given, [linking.PACKAGE + "oci.a"], unfolding.tree) if given[name][1]]
    assert found == ["oci.b", "model.c", "oci.a"]


def test_what_is_warm_exists() -> None:
    """Classes that unfolding makes have functions which the sources lack."""
    wrong = []
    for name, functions in [*warm.WARM.items(), *warm.FORKED.items()]:
        module = ast.parse((UTILS / (name.replace(".", "/") + ".py")).read_text())
        there = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                there.update("%s.%s" % (node.name, part.name) for part in node.body if isinstance(part, ast.FunctionDef))
                there.update("%s.%s" % (node.name, made) for made in ("__new__", "__init__"))
        wrong += ["%s.%s" % (name, function) for function in functions if function not in there]
    assert wrong == []


def test_what_is_borrowed_for_os_is_enough() -> None:
    """In the container's first process nothing can be imported: not the rest of `os` either (cli/begin.py)."""
    given = {path: (path, (UTILS / path).read_bytes()) for path in (str(path.relative_to(UTILS)) for path in UTILS.rglob("*.py"))}
    named = {linking.PACKAGE + path[:-len(".py")].replace("/", "."): value for path, value in given.items()}
    known = {*vars(posix), "path", "fsencode", "fsdecode", "environ", "SEEK_SET", "SEEK_CUR", "SEEK_END"}
    # By whoever creates, enters or offers, before there is a process of the container.
    others = {"makedirs": {"create.py", "namespaces.py", "enter.py", "program.py", "filters.py"}}
    wrong = []
    for name in linking.ordered(named, [linking.PACKAGE + root for roots in copying.BEGINNINGS.values() for root in roots], unfolding.tree):
        for node in ast.walk(ast.parse(named[name][1])):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr not in known:
                if os.path.basename(named[name][0]) not in others.get(node.attr, ()):
                    wrong.append("%s: os.%s" % (named[name][0], node.attr))
    assert wrong == []


def test_os_is_whole_when_more_is_asked_for() -> None:
    text = "import os\nfirst = type(os).__name__, os.getcwd() != '', os.path.join('a', 'b'), os.environ['A'], os.fsencode('\\udcff'), hasattr(os, 'none')\n"
    text += "os.environ['B'] = '2'\nsys.stdout.write(repr((first, type(os).__name__, os.getenv('A'), os.name, os.get_exec_path() != [])))"
    code = "import sys\nspace = {'__name__': 'cocker'}\nexec(open(%r).read(), space)\nspace['_borrow_system']()\n%s" % (str(UTILS / "cli/begin.py"), text)
    done = subprocess.run([sys.executable, "-I", "-S", "-X", "utf8", "-c", code], env={"A": "é"}, capture_output=True, text=True, check=True)
    kind = "_System" if sys.version_info >= (3, 11) else "module"
    if kind == "module" or sys.version_info >= (3, 11):
        assert done.stdout == repr(((kind, True, "a/b", "é", b"\xff", False), "module", "é", "posix", True))


def test_the_loader_knows_the_files_that_are_made() -> None:
    assert set(begin.ENTERING.values()) == set(copying.BEGINNINGS) and begin.HEAD == linking.HEAD
    assert [getattr(begin, name) == getattr(copying, name) for name in ("FIRST", "LOWER", "UPPER")] == [True] * 3

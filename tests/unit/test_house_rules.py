# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of docs/ARCHITECTURE.md that a machine can check: who imports what, how long things are, which names are out.

An exception to a rule is one line in one of the tables below, with its reason. Nothing is exempt by accident.
"""
from __future__ import annotations

import ast
import pathlib
import sys
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "module_utils"
OURS = "ansible_collections.cocker.engine.plugins"
PREFIX = OURS + ".module_utils."

FILE_LINES, FUNCTION_LINES, MODULE_CODE_LINES = 400, 40, 25
FLOOR = (3, 9)

# Who may import what: a layer, a file of a layer ("model.errors"), or a foreign package.
BELOW_ENGINE = {"model", "kernel", "storage", "registry", "network", "runtime", "init"}
MAY_IMPORT: t.Dict[str, t.Set[str]] = {
    "model": {"model"},
    "kernel": {"model.errors", "kernel"},
    "storage": {"model", "kernel", "storage"},
    "registry": {"model", "kernel", "registry"},
    "network": {"model", "kernel", "network"},
    "runtime": {"model", "kernel", "runtime"},
    "init": {"runtime", "kernel", "model", "init"},
    "engine": BELOW_ENGINE | {"engine"},
    "edge": {"engine", "model", "edge", "ansible.module_utils"},
    "cli": {"edge", "engine", "model", "cli", "oci.main"},
    "oci": {"runtime", "kernel", "model", "oci"},
    "modules": {"edge", "engine"},            # engine: only the file of the module's own noun, see the test
    "action": {"edge", "model", "ansible", OURS + ".plugin_utils"},
    "plugin_utils": {"ansible", "jinja2", "yaml", OURS + ".plugin_utils"},     # ansible-core brings these two
    "connection": {"model", "ansible", OURS + ".plugin_utils"},
    "inventory": {"model", "ansible", OURS + ".plugin_utils"},
    "lookup": {"edge", "model", "ansible", OURS + ".plugin_utils"},
    "doc_fragments": set(),
}
# Foreign packages, each imported in one file only, guarded.
FOREIGN = {
    "pyroute2": "kernel/netlink.py",
    "zstandard": "storage/decompress.py",
    "compression": "storage/decompress.py",   # standard library from 3.14 on
    "_sha2": "kernel/seccomp.py",             # the standard library's own, without OpenSSL: 3.12 and newer, _sha256 before
    "_sha256": "kernel/seccomp.py",
}
# The model is pure; what a file of it may still take from the system.
IMPURE = {"os", "io", "socket", "ctypes", "time", "subprocess", "threading", "random", "secrets"}
IMPURE_ALLOWED = {("model/errors.py", "os")}   # os.strerror

FORBIDDEN_CALLS = {"print", "exit", "quit", "input", "eval", "sys.exit", "os.system", "os.popen", "urlopen", "__import__"}
FORBIDDEN_MODULES = {"subprocess", "importlib", "urllib.request"}
# The last one is what contextlib does with what leaves a block: it goes on unless it is the block's own.
CATCHES_EVERYTHING = {"edge/runner.py", "engine/workers.py", "init/main.py", "model/unfolded.py"}
# Documentation is not code: these are measured by their code only.
DOCUMENTATION_DIRECTORIES = ("modules", "doc_fragments", "action", "connection", "inventory", "lookup")
DOCUMENTATION_NAMES = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


class Source(t.NamedTuple):
    path: pathlib.Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def in_utils(self) -> str:
        """Path below module_utils, or empty."""
        return str(self.path.relative_to(UTILS)) if UTILS in self.path.parents else ""

    @property
    def layer(self) -> str:
        return self.in_utils.split("/")[0] if self.in_utils else self.path.relative_to(PLUGINS).parts[0]


def read(path: pathlib.Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path, text, ast.parse(text, str(path)))


def python_files(*tops: str) -> t.List[pathlib.Path]:
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py") if "__pycache__" not in path.parts)


SOURCES = [read(path) for path in python_files("plugins")]
UTIL_SOURCES = [source for source in SOURCES if source.in_utils]
OUR_FILES = {source.in_utils[:-3].replace("/", ".") for source in UTIL_SOURCES}


def imports(tree: ast.AST) -> t.Iterator[t.Tuple[int, str]]:
    """Every import, function-level ones included (Ansible ships those too), as the dotted name of a file where it is one of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            is_package = (base + ".").startswith(PREFIX) and base[len(PREFIX):] not in OUR_FILES
            for alias in node.names:
                yield node.lineno, "%s.%s" % (base, alias.name) if is_package else base


def is_allowed(target: str, allowed: t.Set[str]) -> bool:
    return any(target == name or target.startswith(name + ".") for name in allowed)


def breaches(source: Source) -> t.Iterator[str]:
    allowed = MAY_IMPORT.get(source.layer)
    if allowed is None:
        yield "%s: no rule for the layer %r" % (source.name, source.layer)
        return
    for line, target in imports(source.tree):
        where = "%s:%d" % (source.name, line)
        if target.startswith("."):
            yield "%s: relative import" % where
        elif target.startswith(PREFIX):
            if not is_allowed(target[len(PREFIX):], allowed):
                yield "%s: %s may not import %s" % (where, source.layer, target[len(PREFIX):])
        elif not is_standard(target) and not is_allowed(target, allowed) and FOREIGN.get(target.split(".")[0]) != source.in_utils:
            yield "%s: %s is neither ours nor the standard library" % (where, target)


def is_standard(target: str) -> bool:
    top = target.split(".")[0]
    known = getattr(sys, "stdlib_module_names", None)         # Python 3.10
    return top in known if known else top not in {"ansible", "ansible_collections", "jinja2", "yaml", "jmespath", *FOREIGN}


def test_layers_import_only_what_they_may() -> None:
    assert [breach for source in SOURCES for breach in breaches(source)] == []


def test_a_module_imports_only_the_engine_file_it_is_named_after() -> None:
    """cocker_network takes engine.networks, cocker_container_exec engine.exec, every cocker_*_info may take engine.info."""
    wrong = []
    for source in SOURCES:
        words = source.path.stem.split("_")[1:]
        wrong += ["%s:%d: %s" % (source.name, line, target) for line, target in imports(source.tree)
                  if source.layer == "modules" and target.startswith(PREFIX + "engine.")
                  and not any(target.rsplit(".", 1)[1].startswith(word) for word in words)]
    assert wrong == []


def test_no_import_cycle() -> None:
    graph = {source.in_utils[:-3].replace("/", "."): {target[len(PREFIX):] for _line, target in imports(source.tree)
                                                      if target.startswith(PREFIX)} for source in UTIL_SOURCES}
    done: t.Set[str] = set()

    def visit(name: str, path: t.Tuple[str, ...]) -> None:
        assert name not in path, "import cycle: " + " -> ".join(path[path.index(name):] + (name,))
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            visit(target, path + (name,))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_the_model_is_pure() -> None:
    assert ["%s:%d: %s" % (source.name, line, target) for source in UTIL_SOURCES if source.layer == "model"
            for line, target in imports(source.tree)
            if target.split(".")[0] in IMPURE and (source.in_utils, target.split(".")[0]) not in IMPURE_ALLOWED] == []


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return "%s.%s" % (dotted(node.value), node.attr)
    return node.id if isinstance(node, ast.Name) else "?"


def forbidden(source: Source) -> t.Iterator[str]:
    for node in ast.walk(source.tree):
        where = "%s:%d" % (source.name, getattr(node, "lineno", 0))
        if isinstance(node, ast.Assert):
            yield "%s: assert (python -O removes it)" % where
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in FORBIDDEN_CALLS or name.rsplit(".", 1)[-1] == "urlopen":
                yield "%s: %s()" % (where, name)
    for line, target in imports(source.tree):
        if target in FORBIDDEN_MODULES:
            yield "%s:%d: import %s" % (source.name, line, target)


def test_forbidden_names_are_not_used() -> None:
    assert [found for source in UTIL_SOURCES for found in forbidden(source)] == []


def catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind) in ("Exception", "BaseException") for kind in kinds)


def hides_nothing(handler: ast.ExceptHandler) -> bool:
    """Undo and raise again; or, in a forked child, which must never return into its parent's code: end with os._exit."""
    last = handler.body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return dotted(last.value.func) == "os._exit"
    return isinstance(last, ast.Raise) and (last.exc is None or isinstance(last.exc, ast.Name) and last.exc.id == handler.name)


def test_only_the_two_edges_catch_everything() -> None:
    assert ["%s:%d" % (source.name, node.lineno) for source in SOURCES if source.in_utils not in CATCHES_EVERYTHING
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ExceptHandler) and catches_everything(node) and not hides_nothing(node)] == []


def is_documentation(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in DOCUMENTATION_NAMES


def code_lines(source: Source) -> int:
    lines = source.text.splitlines()
    used = {number for node in source.tree.body if not is_documentation(node)
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return sum(1 for number in used if lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#"))


def test_files_stay_short() -> None:
    sizes = {source.name: code_lines(source) if source.layer in DOCUMENTATION_DIRECTORIES else source.text.count("\n")
             for source in SOURCES}
    sizes.update((str(path.relative_to(ROOT)), path.read_text().count("\n")) for path in python_files("tools"))
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_functions_stay_short() -> None:
    def lines(node: ast.AST) -> int:
        return (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1

    assert ["%s:%d: %s has %d lines" % (source.name, node.lineno, node.name, lines(node))
            for source in SOURCES for node in ast.walk(source.tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and lines(node) > FUNCTION_LINES] == []


def test_modules_hold_no_logic() -> None:
    assert {source.name: code_lines(source) for source in SOURCES
            if source.layer == "modules" and code_lines(source) > MODULE_CODE_LINES} == {}


@pytest.mark.parametrize("path", python_files("plugins", "roles"), ids=lambda path: str(path.relative_to(ROOT)))
def test_file_runs_on_the_oldest_python(path: pathlib.Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=FLOOR)


def test_licence_line_and_annotations_import_come_first() -> None:
    wrong = []
    for path in python_files("plugins", "roles", "tools", "tests"):
        text = path.read_text(encoding="utf-8")
        wanted = "BSD-2-Clause" if UTILS in path.parents else "GPL-3.0-or-later"
        head = [line for line in text.splitlines()[:3] if not line.startswith("#!")]
        if not head or head[0] != "# SPDX-License-Identifier: " + wanted:
            wrong.append("%s: first line is not the SPDX line for %s" % (path.relative_to(ROOT), wanted))
        if "from __future__ import annotations" not in text:
            wrong.append("%s: from __future__ import annotations is missing" % path.relative_to(ROOT))
    assert wrong == []


def test_packages_need_no_init_file() -> None:
    assert [str(path.relative_to(ROOT)) for path in python_files("plugins") if path.name == "__init__.py"] == []


def test_action_group_names_every_module_and_nothing_else() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["action_groups"]["cocker"] == sorted(path.stem for path in python_files("plugins/modules"))


@pytest.mark.parametrize(("layer", "line", "found"), [
    ("storage", "from ansible_collections.cocker.engine.plugins.module_utils.model import errors", 0),
    ("storage", "from ansible_collections.cocker.engine.plugins.module_utils.network import bridge", 1),
    ("kernel", "def f():\n    from ansible_collections.cocker.engine.plugins.module_utils.model.names import x", 1),
    ("engine", "from ansible.module_utils.basic import AnsibleModule", 1),
    ("edge", "from ansible.module_utils.basic import AnsibleModule", 0),
    ("network", "import pyroute2", 1),
    ("runtime", "from . import child", 1),
    ("runtime", "import os, json", 0),
])
def test_the_import_rule_bites(layer: str, line: str, found: int) -> None:
    source = Source(UTILS / layer / "sample.py", line, ast.parse(line))
    assert len(list(breaches(source))) == found


@pytest.mark.parametrize("line", ["assert x", "print(x)", "sys.exit(1)", "import subprocess", "os.system(x)", "urllib.request.urlopen(x)"])
def test_the_rule_on_names_bites(line: str) -> None:
    assert list(forbidden(Source(UTILS / "kernel" / "sample.py", line, ast.parse(line))))


@pytest.mark.parametrize(("body", "hidden"), [("pass", True), ("raise", False), ("undo()\n    raise error", False), ("os._exit(1)", False)])
def test_the_rule_on_catching_everything_bites(body: str, hidden: bool) -> None:
    handler = next(node for node in ast.walk(ast.parse("try:\n    f()\nexcept BaseException as error:\n    " + body))
                   if isinstance(node, ast.ExceptHandler))
    assert catches_everything(handler) and hides_nothing(handler) is not hidden


def test_no_block_of_tasks_may_omit_its_delegate() -> None:
    """ansible-core 2.17 takes what a task inherits from a block as it is written, unless the task says it itself."""
    found = []
    for path in sorted(path for top in ("roles", "playbooks") for path in (ROOT / top).rglob("*.yml") if path.parent.name in ("tasks", "playbooks")):
        found += [str(path.relative_to(ROOT)) for block in _blocks(yaml.safe_load(path.read_text(encoding="utf-8")))
                  if "omit" in str(block.get("delegate_to"))]
    assert found == []


def _blocks(value: t.Any) -> t.Iterator[t.Dict[str, t.Any]]:
    if isinstance(value, dict) and "block" in value:
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _blocks(each)

# SPDX-License-Identifier: BSD-2-Clause
"""One file of all the code that a command begins with: its modules in the order of their imports, so that nothing is looked for.

Most commands call half of what their modules define. A function that is not on a list (oci/warm.py) stays bytes until it is called: in its
place is one that unpacks it then, from memory, since by then the file may be out of reach. Loaded by cli/begin.py. Imports nothing of
ours: cli/copying.py runs this file before there is a copy.
"""
from __future__ import annotations

import ast
import marshal
import types
import typing as t

PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils."
WAKE, MODULES = "_unfolded_wake", "_unfolded_modules"       # what the loader puts into each module
HEAD = 8
_LEAST = 500                # bytes; what is shorter is sooner read than put off
_CODE = types.CodeType
_PLACE = "def asleep(*_given, _unfolded_body, **_named):\n  return %s(_unfolded_body, globals(), _given, _named)" % WAKE
_FUNCTION = 0x1 | 0x2       # CO_OPTIMIZED, CO_NEWLOCALS: neither a module nor a class

Sources = t.Mapping[str, t.Tuple[str, bytes]]       # module -> its file, as tracebacks show it, and its text
Functions = t.Mapping[str, t.Collection[str]]       # a module's name without the package -> what it calls them, as Class.method
Tree = t.Callable[[bytes, str], ast.Module]         # unfolding.tree
Compile = t.Callable[[ast.Module, str], types.CodeType]


def linked(sources: Sources, roots: t.Sequence[str], warm: Functions, forked: Functions, tools: t.Mapping[str, t.Any]) -> bytes:
    """What cli/begin.py reads: eight bytes that say how long the next part is, two values, marshalled, and functions that sleep, each alone

    The second value has (name, package that it is in, name there, folder of a package, code of another) of each module. The first is
    there for its place in memory: the code of functions that are called after a fork lies together. `tools`: unfolding.py.
    """
    tree: Tree = tools["tree"]
    found: t.List[t.Tuple[str, str, str, str, t.Optional[types.CodeType]]] = []
    shared: t.List[types.CodeType] = []
    together: t.List[types.CodeType] = []
    asleep = bytearray()
    for name, module in ordered(sources, roots, tree).items():
        path, _text = sources[name]
        module.body = [part for statement in module.body for part in _at_hand(statement, sources)]
        folder, _slash, file = path.rpartition("/")
        parent, _dot, last = name.rpartition(".")
        if file == "__init__.py":
            found.append((name, parent, last, folder, None))
            continue
        code = _cooled(module, path, set(warm.get(name[len(PACKAGE):], ())), tools["code"], asleep)
        code = _with_one_place(code, shared)
        together += _functions(code, "", set(forked.get(name[len(PACKAGE):], ())))
        found.append((name, parent, last, "", code))
    begin = marshal.dumps((together, found))
    return len(begin).to_bytes(HEAD, "little") + begin + asleep


def ordered(sources: Sources, roots: t.Sequence[str], tree: Tree) -> t.Dict[str, ast.Module]:
    """The modules that the roots import when they are loaded, each after those that it imports itself."""
    found: t.Dict[str, ast.Module] = {}

    def visit(name: str) -> None:
        if name in found or name not in sources:
            return
        if "." in name:
            visit(name.rpartition(".")[0])
        path, text = sources[name]
        module = tree(text, path)
        for other in _imported(module):
            visit(other)
        found[name] = module

    for root in roots:
        visit(root)
    return found


def _imported(module: ast.Module) -> t.Iterator[str]:
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            for alias in node.names:
                yield "%s.%s" % (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name


def _at_hand(node: ast.stmt, sources: Sources) -> t.List[ast.stmt]:
    """An import of ours as what it comes to: all modules that are imported at the top have been loaded."""
    if not isinstance(node, ast.ImportFrom) or not (str(node.module) + ".").startswith(PACKAGE):
        return [node]
    found: t.List[ast.stmt] = []
    for alias in node.names:
        name = "%s.%s" % (node.module, alias.name)
        text = "%s = %s[%r]" % (alias.asname or alias.name, MODULES, name if name in sources else node.module)
        found.append(ast.parse(text if name in sources else "%s.%s" % (text, alias.name)).body[0])
    return [ast.copy_location(part, node) for part in found]


def _cooled(module: ast.Module, path: str, warm: t.Set[str], compile_: Compile, asleep: bytearray) -> types.CodeType:
    _put_off(module.body, compile_(module, path), "", warm, asleep)
    return compile_(module, path)


def _put_off(body: t.List[ast.stmt], code: types.CodeType, prefix: str, warm: t.Set[str], asleep: bytearray) -> None:
    """Changes functions of a module or a class that are not warm; `code` is what they were compiled to."""
    inner = {(part.co_name, part.co_firstlineno): part for part in code.co_consts if isinstance(part, _CODE)}
    for node in body:
        part = inner.get((getattr(node, "name", ""), _line(node)))
        if part is None:
            continue
        if isinstance(node, ast.ClassDef):
            _put_off(node.body, part, prefix + node.name + ".", warm, asleep)
        elif isinstance(node, ast.FunctionDef) and prefix + node.name not in warm and not part.co_freevars:
            text = marshal.dumps(part)
            if len(text) >= _LEAST:
                _put_to_sleep(node, len(asleep), len(text))
                asleep += text


def _functions(code: types.CodeType, prefix: str, names: t.Set[str]) -> t.Iterator[types.CodeType]:
    for part in code.co_consts:
        if not isinstance(part, _CODE):
            continue
        if part.co_flags & _FUNCTION != _FUNCTION:
            yield from _functions(part, prefix + part.co_name + ".", names)
        elif prefix + part.co_name in names:
            yield part


def _line(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", ())
    return int((decorators[0] if decorators else node).lineno) if hasattr(node, "lineno") else 0


def _put_to_sleep(node: ast.FunctionDef, start: int, size: int) -> None:
    """Its defaults are still worked out where it is defined; they go with its code."""
    given = node.args
    named = [(argument.arg, value) for argument, value in zip(given.kwonlyargs, given.kw_defaults) if value is not None]
    place = t.cast("ast.FunctionDef", ast.parse(_PLACE).body[0])
    place.args.kw_defaults = [ast.Tuple(elts=[
        ast.Constant(value=start), ast.Constant(value=size),
        ast.Tuple(elts=list(given.defaults), ctx=ast.Load()) if given.defaults else ast.Constant(value=None),
        ast.Dict(keys=[ast.Constant(value=name) for name, _value in named], values=[value for _name, value in named])
        if named else ast.Constant(value=None),
    ], ctx=ast.Load())]
    node.args, node.body = place.args, place.body


def _with_one_place(code: types.CodeType, shared: t.List[types.CodeType]) -> types.CodeType:
    """All functions that sleep have the same code: as one object it is kept, and read, once."""
    parts: t.List[t.Any] = []
    for part in code.co_consts:
        if isinstance(part, _CODE):
            if part.co_names == (WAKE, "globals") and part.co_flags & _FUNCTION == _FUNCTION:
                part = (shared or _begin(shared, part))[0]
            elif part.co_flags & _FUNCTION != _FUNCTION:
                part = _with_one_place(part, shared)
        parts.append(part)
    return code.replace(co_consts=tuple(parts))


def _begin(shared: t.List[types.CodeType], part: types.CodeType) -> t.List[types.CodeType]:
    shared.append(part)
    return shared

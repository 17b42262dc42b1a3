# SPDX-License-Identifier: BSD-2-Clause
"""Compiles the sources of this tree for copies that are run often: what `typing` and `dataclasses` do at each start is done once, here.

A named tuple becomes a tuple with properties, a frozen dataclass a class with an `__init__`; annotations, aliases of types and protocols
go, and `import typing` with them. What such a class is made of is model/unfolded.py. Where a file does something with `typing` that is not
known here, it keeps its import, and works as before. Imports nothing of ours: cli/copying.py runs this file before there is a copy.
"""
from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]
import _struct
import ast
import types
import typing as t

SUPPORT = "ansible_collections.cocker.engine.plugins.module_utils.model.unfolded"
_CLASSES = "_collections_abc"       # what collections.abc and typing have it from, and what every interpreter has loaded
_LOCAL = "_unfolded_%s"             # how a file calls what is put into it
_PARTS = {"Row": SUPPORT, "Frozen": SUPPORT, "item": SUPPORT, "new": SUPPORT, "put": SUPPORT, "UNSET": SUPPORT, "Mapping": _CLASSES}
# Module -> the names in it for which another one is imported: ours, or the one in C of which it is made.
_JSON = "ansible_collections.cocker.engine.plugins.module_utils.model.jsontext"
_FOREIGN = "ansible_collections.cocker.engine.plugins.module_utils.kernel.foreign"
_C_PARTS = ("Array", "CFuncPtr", "FUNCFLAG_CDECL", "FUNCFLAG_PYTHONAPI", "FUNCFLAG_USE_ERRNO", "Structure", "_SimpleCData", "dlopen")
_C_TYPES = frozenset((
    "Array", "CDLL", "PyDLL", "Structure", "addressof", "byref", "c_char", "c_char_p", "c_int", "c_int32", "c_long", "c_size_t",
    "c_ssize_t", "c_uint", "c_uint32", "c_uint64", "c_ulong", "c_ushort", "c_void_p", "create_string_buffer", "get_errno", "sizeof",
))
_CHEAPER: t.Dict[str, t.Tuple[str, t.FrozenSet[str]]] = {
    "dataclasses": (SUPPORT, frozenset(("replace", "fields", "asdict", "astuple", "is_dataclass"))),
    "json": (_JSON, frozenset(("loads", "dumps"))),
    "signal": ("_signal", frozenset(dir(_signal))),
    "struct": ("_struct", frozenset(dir(_struct))),
    "contextlib": (SUPPORT, frozenset(("contextmanager", "suppress"))),
}
if all(hasattr(_ctypes, name) for name in _C_PARTS):
    _CHEAPER["ctypes"] = _FOREIGN, _C_TYPES
_TYPING = "t"       # import typing as t: house style
_OPTIMIZE = 2       # neither docstrings nor assertions


class NotKnown(Exception):
    """A class or an import that would not be the same."""


def compiled(text: bytes, path: str) -> types.CodeType:
    """The code of a source; `path` is what tracebacks show."""
    return _code(tree(text, path), path)


def tree(text: bytes, path: str) -> ast.Module:
    """What code() compiles of a source."""
    return unfolded(ast.parse(text, path))


def code(module: ast.Module, path: str) -> types.CodeType:
    """Of a tree that somebody has put something into."""
    _locate(module)
    return _code(module, path)


def _code(module: ast.Module, path: str) -> types.CodeType:
    return compile(module, path, "exec", dont_inherit=True, optimize=_OPTIMIZE)


def _locate(tree: ast.AST) -> None:
    """Tracebacks name lines, for what was put in that of what is around it; columns are read with each code, and never used."""
    todo = [(tree, 1, 1)]
    while todo:
        node, first, last = todo.pop()
        own = vars(node)
        if "lineno" in node._attributes:
            first = own.setdefault("lineno", first)
            last = own["end_lineno"] = own.get("end_lineno") or last
            own["col_offset"] = own["end_col_offset"] = -1
        todo += [(part, first, last) for part in _parts_of(node)]


def _placed(new: ast.stmt, old: ast.stmt) -> ast.stmt:
    _locate(ast.copy_location(new, old))
    return new


def _parts_of(node: ast.AST) -> t.List[ast.AST]:
    """As ast.iter_child_nodes, which takes four times as long: a host that is new waits for all of the engine."""
    found: t.List[ast.AST] = []
    for part in vars(node).values():
        if part.__class__ is list:
            found += [each for each in part if isinstance(each, ast.AST)]
        elif isinstance(part, ast.AST):
            found.append(part)
    return found


def _nodes(tree: ast.AST) -> t.List[ast.AST]:
    found = [tree]
    for node in found:      # it grows meanwhile
        found += _parts_of(node)
    return found


def unfolded(tree: ast.Module) -> ast.Module:
    """Changes the tree. Raises NotKnown."""
    unfolding = _Unfolding(tree)
    unfolding.visit(tree)
    needed = unfolding.needed
    if _TYPING not in needed:
        tree.body = [statement for statement in tree.body if not _imports_typing(statement)]
    for module in sorted(set(_PARTS.values())):
        names = [ast.alias(name=name, asname=_LOCAL % name) for name in _PARTS if _PARTS[name] == module and _LOCAL % name in needed]
        if names:
            tree.body.insert(0, ast.ImportFrom(module=module, names=names, level=0))
            _locate(tree.body[0])
    return tree


def _uses(tree: ast.Module) -> t.Dict[str, t.Set[str]]:
    """Name -> what is looked up in it."""
    found: t.Dict[str, t.Set[str]] = {}
    for node in _nodes(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def _imports_typing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import) and [(alias.name, alias.asname) for alias in node.names] == [("typing", _TYPING)]


class _Unfolding(ast.NodeTransformer):
    def __init__(self, tree: ast.Module) -> None:
        self.needed: t.Set[str] = set()     # the names that are left
        self._tree, self._uses = tree, t.cast("t.Optional[t.Dict[str, t.Set[str]]]", None)
        self._own = {getattr(ast, name[len("visit_"):]): getattr(self, name) for name in vars(type(self)) if name.startswith("visit_")}

    def visit(self, node: ast.AST) -> t.Any:
        own = vars(node)
        if "col_offset" in own:
            own["col_offset"] = own["end_col_offset"] = -1
        return self._own.get(node.__class__, self.generic_visit)(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """As the usual one, without asking a node of each kind for all that it may have. Only from a list something may go."""
        own = vars(node)
        for name, part in own.items():
            if part.__class__ is list:
                part[:] = [new for each in part for new in self._in_place_of(each)]
            elif isinstance(part, ast.AST):
                own[name] = self.visit(part)
        return node

    def _in_place_of(self, part: t.Any) -> t.List[t.Any]:
        new = self.visit(part) if isinstance(part, ast.AST) else [part]
        return new if isinstance(new, list) else [] if new is None else [new]

    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = [_nothing(statement) if _is_alias(statement) else statement for statement in node.body]
        self.generic_visit(node)
        return node

    def visit_Import(self, node: ast.Import) -> ast.stmt:
        if len(node.names) != 1 or node.names[0].name not in _CHEAPER:
            return node
        name = node.names[0].asname or node.names[0].name
        module, known = _CHEAPER[node.names[0].name]
        self._uses = _uses(self._tree) if self._uses is None else self._uses
        if not self._uses.get(name, set()) - {"dataclass", "field"} <= known:
            return node
        if "." in module:
            package, _dot, file = module.rpartition(".")
            return _placed(ast.ImportFrom(module=package, names=[ast.alias(name=file, asname=name)], level=0), node)
        return _placed(ast.Import(names=[ast.alias(name=module, asname=name)]), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> t.Optional[ast.ImportFrom]:
        return None if node.module == "__future__" else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return t.cast("ast.stmt", self._visited(ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)))

    def _visited(self, node: t.Any) -> t.Any:
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return t.cast("ast.expr", self.visit(node.args[1]) if _is_typing(node.func, "cast") else self.generic_visit(node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if _is_typing(node, "Mapping"):
            return self.visit_Name(ast.copy_location(ast.Name(id=_LOCAL % "Mapping", ctx=ast.Load()), node))
        return t.cast("ast.expr", self.generic_visit(node))

    def visit_Name(self, node: ast.Name) -> ast.Name:
        self.needed.add(node.id)
        return node

    def visit_If(self, node: ast.If) -> t.Union[ast.If, t.List[ast.stmt]]:
        if _is_typing(node.test, "TYPE_CHECKING") or isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(statement) for statement in node.orelse]
        return t.cast("ast.If", self._visited(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.bases = [base for base in node.bases if not _is_typing(base, "Protocol") and not _is_generic(base)]
        if any(_is_typing(base, "NamedTuple") for base in node.bases):
            _row(node)
        if any("id='dataclasses'" in ast.dump(decorator) for decorator in node.decorator_list):
            _frozen(node)
        self.generic_visit(node)
        return node


_FROZEN = ast.dump(ast.parse("dataclasses.dataclass(frozen=True)", mode="eval").body)


def _is_typing(node: t.Optional[ast.AST], name: str = "") -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == _TYPING and name in ("", node.attr)


def _is_generic(base: ast.expr) -> bool:
    return isinstance(base, ast.Subscript) and _is_typing(base.value, "Generic")


def _is_alias(node: ast.stmt) -> bool:
    """An assignment of the module that names a type: it is looked at by annotations alone, but other files import it."""
    value = node.value if isinstance(node, ast.Assign) else None
    if isinstance(value, ast.Call):
        return _is_typing(value.func, "TypeVar")
    return isinstance(value, ast.Subscript) and _is_typing(value.value) or _is_typing(value)


def _nothing(node: t.Any) -> ast.stmt:
    node.value = ast.copy_location(ast.Constant(value=None), node.value)
    return t.cast("ast.stmt", node)


def _parts(node: ast.ClassDef) -> t.Tuple[t.List[ast.AnnAssign], t.List[ast.stmt]]:
    """The fields, and the rest of the body."""
    fields = [statement for statement in node.body if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)]
    return fields, [statement for statement in node.body if statement not in fields]


def _name(field: ast.AnnAssign) -> str:
    return t.cast("ast.Name", field.target).id


def _lines(text: str, at: ast.ClassDef) -> t.List[ast.stmt]:
    """Statements that belong to the line of the class."""
    made = ast.parse(text).body
    for statement in made:
        for node in ast.walk(statement):
            if "lineno" in getattr(node, "_attributes", ()):
                ast.copy_location(node, at)
    return made


def _tuple(names: t.Iterable[str]) -> str:
    return "(%s)" % "".join("%s, " % name for name in names)


def _row(node: ast.ClassDef) -> None:
    fields, rest = _parts(node)
    if len(node.bases) != 1 or node.decorator_list or node.keywords:
        raise NotKnown("class %s" % node.name)
    names = [_name(field) for field in fields]
    text = ["__slots__ = ()", "_fields = %s" % _tuple(map(repr, names)), "def __new__(_cls, %s): return _unfolded_new(_cls, %s)" % (
        ", ".join(names), _tuple(names))]
    text += ["%s = _unfolded_item(%d, None)" % (name, place) for place, name in enumerate(names)]
    made = _lines("\n".join(text), node)
    t.cast("ast.FunctionDef", made[2]).args.defaults = [field.value for field in fields if field.value is not None]
    node.bases = [ast.copy_location(ast.Name(id=_LOCAL % "Row", ctx=ast.Load()), node)]
    node.body = [*rest, *made]


def _frozen(node: ast.ClassDef) -> None:
    fields, rest = _parts(node)
    if node.bases or node.keywords or list(map(ast.dump, node.decorator_list)) != [_FROZEN] or _has_own(rest):
        raise NotKnown("class %s" % node.name)
    given = {_name(field): _options(field.value) for field in fields}
    defaults = [field for field in fields if field.value is not None and "default" in given[_name(field)]]
    made: t.List[ast.stmt] = [
        ast.copy_location(ast.Assign(targets=[field.target], value=given[_name(field)]["default"]), field) for field in defaults]
    made += _lines("\n".join([*_told(given), _constructor(given)]), node)
    factories = [options["default_factory"] for options in given.values() if "default_factory" in options]
    calls = [part for part in ast.walk(made[-1]) if isinstance(part, ast.Call) and not part.args]
    for call, factory in zip(calls, factories):
        call.func = factory
    node.decorator_list, node.bases = [], [ast.copy_location(ast.Name(id=_LOCAL % "Frozen", ctx=ast.Load()), node)]
    node.body = [*rest, *made]


def _has_own(rest: t.Sequence[ast.stmt]) -> bool:
    """What a dataclass would treat in a way of its own."""
    own = {"__init__", "__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__", "__post_init__"}
    return any(getattr(statement, "name", "") in own for statement in rest)


def _options(value: t.Optional[ast.expr]) -> t.Dict[str, ast.expr]:
    """Of dataclasses.field(...), or a default."""
    if value is None:
        return {}
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "field":
        found = {str(keyword.arg): keyword.value for keyword in value.keywords}
        if value.args or not set(found) <= {"default", "default_factory", "repr", "compare", "hash"}:
            raise NotKnown(ast.dump(value))
        return found
    return {"default": value}


def _told(given: t.Mapping[str, t.Mapping[str, ast.expr]]) -> t.List[str]:
    """The names of all fields, and of those that are shown, compared and hashed, where that is not all."""
    def is_in(name: str, *keys: str) -> bool:
        said = [given[name][key] for key in keys if key in given[name]]
        return not said or bool(t.cast("ast.Constant", said[0]).value)

    sets = {
        "__fields__": list(given), "__shown__": [name for name in given if is_in(name, "repr")],
        "__compared__": [name for name in given if is_in(name, "compare")],
        "__hashed__": [name for name in given if is_in(name, "hash", "compare")],
    }
    if not all(sets.values()):
        raise NotKnown("a class without fields")
    return ["%s = %s" % (key, _tuple(map(repr, names))) for key, names in sets.items() if key == "__fields__" or names != list(given)]


def _constructor(given: t.Mapping[str, t.Mapping[str, ast.expr]]) -> str:
    arguments, lines = [], []
    for name, options in given.items():
        made = "default_factory" in options
        default = "=_unfolded_UNSET" if made else "=" + name if "default" in options else ""
        arguments.append(name + default)
        value = "_factory() if %s is _unfolded_UNSET else %s" % (name, name) if made else name
        lines.append("  _unfolded_put(self, %r, %s)" % (name, value))
    return "\n".join(["def __init__(self, %s):" % ", ".join(arguments), *lines])

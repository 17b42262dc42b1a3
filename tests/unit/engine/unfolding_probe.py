# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how the value classes of the whole tree behave: unfolding_probe.py TREE plain|unfolded. Both must say the same (test_unfolding.py)."""
from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import inspect
import json
import operator
import os
import pickle
import re
import sys
import typing as t

PACKAGE = "ansible_collections.cocker.engine.plugins.module_utils"
ABSENT = ("pyroute2", "ansible")        # of others, which an interpreter may be without


class Unfolded:
    """Finds the tree's modules, and compiles them as the copies are."""

    def __init__(self, compiled: t.Callable[[bytes, str], t.Any]) -> None:
        self._compiled = compiled

    def find_spec(self, name: str, path: t.Any, _target: t.Any = None) -> t.Any:
        found = importlib.machinery.PathFinder.find_spec(name, path)
        if not name.startswith(PACKAGE) or found is None or found.origin is None:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=found.origin)  # type: ignore[arg-type]

    def create_module(self, _spec: t.Any) -> None:
        return None

    def exec_module(self, module: t.Any) -> None:
        module.__file__ = module.__spec__.origin
        with open(module.__file__, "rb") as source:
            exec(self._compiled(source.read(), module.__file__), module.__dict__)


def modules(tree: str) -> t.Iterator[t.Any]:
    top = os.path.join(tree, *PACKAGE.split("."))
    for folder, _below, files in sorted(os.walk(top)):
        for name in sorted(files):
            if not name.endswith(".py"):
                continue
            path = os.path.relpath(os.path.join(folder, name), tree)[:-len(".py")].replace("/", ".")
            try:
                yield importlib.import_module(path)
            except ModuleNotFoundError as error:
                if not str(error.name).startswith(ABSENT):
                    raise


def names_of(kind: t.Any) -> t.Tuple[str, ...]:
    """Of the fields; empty for other classes."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(getattr(kind, "_fields", ()) or kind.__dict__.get("__fields__", ()))


def tools(kind: t.Any) -> t.Any:
    if dataclasses.is_dataclass(kind):
        return dataclasses
    return importlib.import_module(PACKAGE + ".model.unfolded")


def outcome(what: t.Callable[[], t.Any]) -> str:
    """The value, or which error."""
    try:
        return re.sub("0x[0-9a-f]+", "0x", repr(what()))
    except (TypeError, ValueError) as error:
        return "wrong: %s" % isinstance(error, (TypeError, ValueError))
    except AttributeError as error:
        return "%s: %s" % (type(error).__name__, error)


def described(kind: t.Any) -> t.Dict[str, t.Any]:
    names = names_of(kind)
    given = {name: "value %d" % place for place, name in enumerate(names)}
    one, deep = kind(**given), kind(*[[{"a": (1, {2}), "b": [b"", None, object]}] for _name in names])
    changed = [kind(**dict(given, **{name: "other"})) for name in names]
    is_tuple = isinstance(one, tuple)
    needed = [name for name, each in inspect.signature(kind).parameters.items() if each.default is inspect.Parameter.empty]
    least = [kind(**{name: given[name] for name in needed}) for _twice in (1, 2)]
    found = {
        "fields": names, "shown": repr(one), "needed": needed, "least": outcome(lambda: least[0]), "equal": least[0] == least[1],
        "shared": [getattr(least[0], name) is getattr(least[1], name) for name in names],
        "told apart": [(each == one, one != each, hash(each) == hash(one)) for each in changed],
        "others": (one == tuple(given.values()), operator.eq(one, None), one == 1),
        "too few": outcome(lambda: kind(**{name: given[name] for name in needed[1:]})) if needed else "", "too many": outcome(lambda: kind(*names, 1)),
        "unknown": outcome(lambda: kind(**given, none=1)), "twice": outcome(lambda: kind(*given.values(), **{names[0]: 1})),
        "kept": pickle.loads(pickle.dumps(one)) == one, "copied": copy.deepcopy(deep) == deep and copy.copy(one) == one,
        "order": outcome(lambda: one < least[0]), "defaults": [outcome(functools.partial(getattr, kind, name)) for name in names if not is_tuple],
        "methods": sorted(name for name, value in vars(kind).items() if not name.startswith("_") and name not in names and callable(value)),
        "set": outcome(lambda: setattr(one, names[0], 1)).partition(":")[0], "removed": outcome(lambda: delattr(one, names[0])).partition(":")[0],
        "added": outcome(lambda: setattr(one, "none", 1)).partition(":")[0],
    }
    return {**found, **(of_tuple(kind, one, given) if is_tuple else of_record(kind, one, deep))}


def of_tuple(kind: t.Any, one: t.Any, given: t.Mapping[str, str]) -> t.Dict[str, t.Any]:
    first = next(iter(given))
    return {
        "made": outcome(lambda: kind._make(given.values())), "made short": outcome(lambda: kind._make(())), "dict": one._asdict(), "plain": tuple(one),
        "replaced": outcome(lambda: one._replace(**{first: 1})), "replaced unknown": outcome(lambda: one._replace(none=1)),
        "properties": [inspect.isdatadescriptor(vars(kind)[name]) for name in given], "is instance": isinstance(one, kind), "size": kind.__slots__,
    }


def of_record(kind: t.Any, one: t.Any, deep: t.Any) -> t.Dict[str, t.Any]:
    module, first = tools(kind), names_of(kind)[0]
    nested = module.replace(one, **{first: [deep, (one,), {"key": one}]})
    return {
        "replaced": outcome(lambda: module.replace(one, **{first: 1})), "replaced unknown": outcome(lambda: module.replace(one, none=1)),
        "dict": outcome(lambda: module.asdict(nested)), "tuple": outcome(lambda: module.astuple(nested)),
        "independent": module.asdict(deep)[first] is not getattr(deep, first), "known": (module.is_dataclass(one), module.is_dataclass(kind)),
        "fields of it": [field.name for field in module.fields(one)], "state": vars(one),
    }


def main(tree: str, way: str) -> None:
    sys.path.insert(0, tree)
    if way == "unfolded":
        space: t.Dict[str, t.Any] = {"__name__": "unfolding"}
        with open(os.path.join(tree, *PACKAGE.split("."), "engine", "unfolding.py"), "rb") as source:
            exec(source.read(), space)
        sys.meta_path.insert(0, Unfolded(space["compiled"]))  # type: ignore[arg-type]
    found = {}
    for module in modules(tree):
        for name, kind in sorted(vars(module).items()):
            ours = isinstance(kind, type) and kind.__module__ == module.__name__ and module.__name__ != PACKAGE + ".model.unfolded"
            if ours and names_of(kind):
                found["%s.%s" % (module.__name__[len(PACKAGE):], name)] = described(kind)
    sys.stdout.write(json.dumps(found, sort_keys=True, default=repr))


if __name__ == "__main__":
    main(*sys.argv[1:])

# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the functions that usual containers call names functions that there are: one that was renamed would be read late, unnoticed."""
from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.oci import warm

TREE = pathlib.Path(warm.__file__).resolve().parents[1]
MADE = frozenset(("__new__", "__eq__", "__hash__", "_asdict", "_make", "_replace"))     # by engine/unfolding.py


def defined(body: t.Iterable[ast.stmt], prefix: str = "") -> t.Iterator[str]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield prefix + node.name
            yield from defined(node.body, prefix + node.name + ("." if isinstance(node, ast.ClassDef) else ".<locals>."))
        elif isinstance(node, (ast.If, ast.Try)):
            yield from defined([*node.body, *node.orelse], prefix)


@pytest.mark.parametrize("listed", [warm.WARM, warm.FORKED], ids=("all", "forked"))
def test_what_is_listed_is_there(listed):
    for file, functions in listed.items():
        path = TREE / (file.replace(".", "/") + ".py")
        names = set(defined(ast.parse(path.read_text(encoding="utf-8")).body)) if path.exists() else set()
        assert [name for name in functions if name not in names and not (name.rpartition(".")[2] in MADE and name.rpartition(".")[0] in names)] \
            == [], file

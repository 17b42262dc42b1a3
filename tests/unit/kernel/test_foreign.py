# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
import errno
import re
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import unfolding
from ansible_collections.cocker.engine.plugins.module_utils.kernel import foreign

NAMES = sorted(unfolding._CHEAPER["ctypes"][1])
BOTH: t.Any = pytest.mark.parametrize("way", [foreign, ctypes], ids=["ours", "theirs"])


def test_it_is_not_ctypes_itself_and_has_what_is_taken_for_it() -> None:
    assert foreign.c_int is not ctypes.c_int
    assert all(hasattr(foreign, name) and hasattr(ctypes, name) for name in NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if re.match("c_(?!char)", name) and name != "c_void_p"])
def test_numbers_are_as_wide_and_have_the_same_sign(name: str) -> None:
    ours, theirs = getattr(foreign, name), getattr(ctypes, name)
    assert foreign.sizeof(ours) == ctypes.sizeof(theirs)
    assert [ours(value).value for value in (-1, 2 ** 70 - 1, 5)] == [theirs(value).value for value in (-1, 2 ** 70 - 1, 5)]


@BOTH
def test_a_call_and_its_errno(way: t.Any) -> None:
    library = way.CDLL(None, use_errno=True)
    assert library.close(-1) == -1 and way.get_errno() == errno.EBADF
    library.strtoull.restype, library.strtoull.argtypes = way.c_uint64, (way.c_char_p, way.c_void_p, way.c_int)
    assert library.strtoull(b"18446744073709551615", None, 10) == 2 ** 64 - 1
    assert way.PyDLL(None, use_errno=True).close(-1) == -1 and way.get_errno() == errno.EBADF


@BOTH
def test_without_errno_a_former_one_stays(way: t.Any) -> None:
    way.CDLL(None, use_errno=True).close(-1)
    assert way.CDLL(None).rmdir(b"/none/such") == -1 and way.get_errno() == errno.EBADF


@BOTH
def test_what_is_not_there(way: t.Any) -> None:
    with pytest.raises(OSError, match="none-such"):
        way.CDLL("libnone-such.so")
    assert not any(hasattr(way.CDLL(None), name) for name in ("none_such_function", "__none__"))


@BOTH
def test_memory(way: t.Any) -> None:
    class Pair(way.Structure):
        _fields_ = [("low", way.c_uint32), ("high", way.c_ushort)]

    pair, text = Pair(1, 2), way.create_string_buffer(8)
    library = way.CDLL(None)
    library.memcpy(text, way.byref(pair), way.sizeof(pair))
    assert (text.raw[0], text.raw[4], way.sizeof(Pair), way.addressof(pair) > 0) == (1, 2, 8, True)
    assert [way.create_string_buffer(*given).raw for given in ((b"ab",), (b"ab", 2), (b"ab", 4), (3,))] == [b"ab\0", b"ab", b"ab\0\0", b"\0\0\0"]
    assert list((way.c_uint64 * 3)(1, 2)) == [1, 2, 0] and issubclass(way.c_uint64 * 3, way.Array)

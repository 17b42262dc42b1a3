# SPDX-License-Identifier: BSD-2-Clause
"""The part of `ctypes` that this tree needs, from the module in C that it is made of: a fifth of the time, and of the memory.

Compiled copies have it in place of `ctypes` where a file asks for nothing else and the interpreter has these parts (engine/unfolding.py).
"""
from __future__ import annotations

import _ctypes
from _ctypes import _SimpleCData, addressof, byref, get_errno, sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t

Array, Structure = _ctypes.Array, _ctypes.Structure
__all__ = ["Array", "Structure", "addressof", "byref", "get_errno", "sizeof"]       # as they are; the others follow


class c_char(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "c"


class c_short(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "h"


class c_ushort(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "H"


class c_int(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class c_uint(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "I"


class c_long(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class c_ulong(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "L"


class c_ulonglong(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "Q"


class c_void_p(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "P"


class c_char_p(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "z"


c_int32, c_uint32 = c_int, c_uint       # on whatever Linux runs
c_size_t, c_ssize_t = c_ulong, c_long
c_uint64 = c_ulong if sizeof(c_ulong) == 8 else c_ulonglong


class CDLL:
    """Functions of a library by their names; None is the program with all that it has loaded. Raises OSError."""

    _flags = _ctypes.FUNCFLAG_CDECL

    def __init__(self, name: t.Optional[str], *, use_errno: bool = False) -> None:
        class Function(_ctypes.CFuncPtr):
            _flags_ = self._flags | (_ctypes.FUNCFLAG_USE_ERRNO if use_errno else 0)
            _restype_ = c_int

        self._function, self._handle = Function, _ctypes.dlopen(name, 0)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.__dict__[name] = self._function((name, self))  # type: ignore[arg-type]
        return found


class PyDLL(CDLL):
    """Calls keep the interpreter's lock."""

    _flags = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI


def create_string_buffer(init: t.Union[bytes, int], size: t.Optional[int] = None) -> t.Any:
    if isinstance(init, int):
        return (c_char * init)()
    made: t.Any = (c_char * (len(init) + 1 if size is None else size))()
    made.value = init
    return made

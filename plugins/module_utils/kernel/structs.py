# SPDX-License-Identifier: BSD-2-Clause
"""Structures of system calls, as the kernel's headers lay them out. ctypes zeroes them, which is what the kernel wants."""
from __future__ import annotations

import ctypes


class CapabilityHeader(ctypes.Structure):
    """struct __user_cap_header_struct of capset(2)."""

    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapabilityWord(ctypes.Structure):
    """struct __user_cap_data_struct; version 3 takes two of them, low 32 capabilities first."""

    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


# Those of one kind of numbers only are arrays, which take a fifth of the time to make.
MountAttr = ctypes.c_uint64 * 4     # struct mount_attr of mount_setattr(2): attr_set, attr_clr, propagation, userns_fd
OpenHow = ctypes.c_uint64 * 3       # struct open_how of openat2(2): flags, mode, resolve

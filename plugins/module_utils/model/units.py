# SPDX-License-Identifier: BSD-2-Clause
"""Sizes, CPU counts and signals as people write them, turned into the kernel's units.

Not here: what a value means for a cgroup file (runtime/cgroups/resources.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

UNLIMITED = -1

_LARGEST = (1 << 63) - 1  # what the kernel's counters hold
_FACTORS = {
    letter + ending: 1 << 10 * power for power, letter in enumerate(("", "K", "M", "G", "T", "P")) for ending in ("", "B", "IB", "I")
    if letter or ending in ("", "B")
}
_SIZE = "a number with an optional unit B, K, M, G, T or P (powers of 1024), or unlimited"

# signal(7): the numbers are the same on every architecture that we run on, apart from alpha, mips, parisc and sparc.
SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11,
    "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20,
    "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "PWR": 30, "SYS": 31,
    "IOT": 6, "CLD": 17, "POLL": 29,
}
_RTMIN, _RTMAX = 34, 64


def parse_size(value: t.Union[str, int], option: str) -> int:
    """Bytes; UNLIMITED for `unlimited` and -1. Raises Invalid."""
    text = str(value).strip()
    if text.lower() in ("unlimited", "-1"):
        return UNLIMITED
    digits = text.rstrip("bBkKmMgGtTpPiI").rstrip()
    unit = text[len(digits):].strip().upper()
    if unit not in _FACTORS or not _is_decimal(digits):
        raise Invalid(option, "%r is not %s" % (value, _SIZE))
    whole, _dot, fraction = digits.partition(".")
    factor = _FACTORS[unit]
    size = int(whole or "0") * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)
    if size > _LARGEST:
        raise Invalid(option, "%r is more than any host has" % (value,), hint="unlimited is accepted")
    return size


def parse_cpus(value: t.Union[str, float, int], option: str) -> int:
    """Billionths of a CPU (docker's NanoCpus): 0.5 -> 500000000. Raises Invalid."""
    digits = str(value).strip()
    if not _is_decimal(digits):
        raise Invalid(option, "%r is not a positive number of CPUs such as 0.5 or 2" % (value,))
    whole, _dot, fraction = digits.partition(".")
    return int(whole or "0") * 10 ** 9 + int((fraction + "0" * 9)[:9])


def parse_cpuset(value: str, option: str) -> str:
    """The list format of cpuset(7), `0-2,5`, sorted and merged. Raises Invalid."""
    wanted: t.Set[int] = set()
    for part in str(value).replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if not _is_number(first) or (dash and not _is_number(last)) or int(last or first) < int(first) or int(last or first) > 8191:
            raise Invalid(option, "%r is not a list of CPU numbers and ranges such as 0-2,5" % (value,))
        wanted.update(range(int(first), int(last or first) + 1))
    return format_cpuset(wanted)


def format_cpuset(cpus: t.Iterable[int]) -> str:
    spans: t.List[t.List[int]] = []
    for cpu in sorted(cpus):
        if spans and spans[-1][1] == cpu - 1:
            spans[-1][1] = cpu
        else:
            spans.append([cpu, cpu])
    return ",".join("%d" % low if low == high else "%d-%d" % (low, high) for low, high in spans)


def parse_signal(value: t.Union[str, int], option: str) -> int:
    """The number of `TERM`, `SIGTERM`, `15`, `SIGRTMIN+3`. Raises Invalid."""
    text = str(value).strip().upper()
    name = text[3:] if text.startswith("SIG") else text
    if name in SIGNALS:
        return SIGNALS[name]
    if _is_number(name) and 1 <= int(name) <= _RTMAX:
        return int(name)
    for base, start, sign in (("RTMIN", _RTMIN, "+"), ("RTMAX", _RTMAX, "-")):
        offset = name[len(base):] if name.startswith(base) else "no"
        if offset == "" or (offset[0] == sign and _is_number(offset[1:])):
            number = start + int(offset or "0")
            if _RTMIN <= number <= _RTMAX:
                return number
    raise Invalid(option, "%r is not a signal name such as SIGTERM or a number from 1 to %d" % (value, _RTMAX))


def signal_name(number: int) -> str:
    for name, known in SIGNALS.items():
        if known == number:
            return "SIG" + name
    return "SIGRTMIN+%d" % (number - _RTMIN) if number >= _RTMIN else str(number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _is_decimal(text: str) -> bool:
    whole, dot, fraction = text.partition(".")
    return (_is_number(fraction) and (_is_number(whole) or not whole)) if dot else _is_number(whole)

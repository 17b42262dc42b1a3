# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong, as values: every error says `op subject: reason`, and what to do where we know it.

Not here: how errors are shown (edge/runner.py) and which errno a caller forgives (that is the caller's `tolerate`).
"""
from __future__ import annotations

import os
import typing as t


class CockerError(Exception):
    """Base of all. `cleanup` collects what also failed while undoing; it never replaces the cause."""

    def __init__(self, op: str, subject: str = "", reason: str = "", *, hint: str = "") -> None:
        super().__init__(op, subject, reason, hint)
        self.op = op
        self.subject = subject
        self.reason = reason
        self.hint = hint
        self.cleanup: t.List[BaseException] = []

    def __reduce__(self) -> t.Tuple[t.Any, ...]:
        """As it is, whatever its own `__init__` takes: pickle would call that with `args`."""
        return _again, (type(self), self.args), vars(self)

    def __str__(self) -> str:
        head = " ".join(part for part in (self.op, self.subject) if part)
        text = ": ".join(part for part in (head, self.reason) if part)
        return "%s (%s)" % (text, self.hint) if self.hint else text


def _again(kind: t.Type[CockerError], args: t.Tuple[t.Any, ...]) -> CockerError:
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class Invalid(CockerError):
    """Bad input, found before the first effect. `subject` is the option, `reason` says what is accepted."""

    def __init__(self, option: str, reason: str, *, hint: str = "") -> None:
        super().__init__("option", option, reason, hint=hint)


class NotFound(CockerError):
    """The named object does not exist."""


class Conflict(CockerError):
    """The object exists or is in use, so that the wish cannot be met as it is."""


class Unsupported(CockerError):
    """This host, kernel or interpreter lacks what is asked for."""


class Damaged(CockerError):
    """What was read (archive, record, manifest) is not what it claims to be."""


class Unreachable(CockerError):
    """Another machine does not answer, or breaks off, as often as it was asked."""


class Denied(CockerError):
    """Another machine answers that we may not: no credentials, the wrong ones, or too few rights."""


class StartFailed(CockerError):
    """The container's process was not exec'd; nothing of the attempt is left."""


class KernelError(CockerError):
    """A system call failed. `errno` is the kernel's."""

    def __init__(self, op: str, subject: str, errno: int, *, hint: str = "") -> None:
        super().__init__(op, subject, os.strerror(errno), hint=hint)
        self.errno = errno


class CleanupError(CockerError):
    """Teardown finished as far as it could; `cleanup` holds every failure met on the way."""

    def __init__(self, op: str, subject: str, failures: t.Sequence[BaseException]) -> None:
        super().__init__(op, subject, "; ".join(str(failure) for failure in failures))
        self.cleanup = list(failures)


class tolerate:
    """Drops an OSError or KernelError whose errno is listed; everything else passes."""

    def __init__(self, *errnos: int) -> None:
        self._errnos = errnos

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: t.Optional[BaseException], _trace: object) -> bool:
        return isinstance(error, (OSError, KernelError)) and error.errno in self._errnos

# SPDX-License-Identifier: BSD-2-Clause
"""Pieces of work side by side, each in a process of its own that ends with the task. Not here: the work."""
from __future__ import annotations

import json
import os
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model import errors

Work = t.Callable[[], t.Any]

_CHUNK = 64 << 10
_KINDS: t.Dict[str, t.Type[errors.CockerError]] = {
    kind.__name__: kind for kind in (errors.CockerError, errors.Conflict, errors.Damaged, errors.Denied, errors.NotFound,
                                     errors.Unreachable, errors.Unsupported)
}


class _Worker:
    def __init__(self, place: int, work: Work) -> None:
        self.place = place
        self.answer = b""
        self.reader, writer = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _run(work, writer, parent)
        os.close(writer)

    def end(self) -> None:
        """Our own child, not waited for yet: the number is still its."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.reader)


def run(works: t.Sequence[Work], *, most: int) -> t.List[t.Any]:
    """What each returns (JSON), in their order; at most so many at once. The first failure ends the others, and is raised.

    No thread may be alive.
    """
    results: t.List[t.Any] = [None] * len(works)
    waiting = list(enumerate(works))
    running: t.Dict[int, _Worker] = {}
    poller = select.poll()
    try:
        while waiting or running:
            while waiting and len(running) < most:
                worker = _Worker(*waiting.pop(0))
                running[worker.reader] = worker
                poller.register(worker.reader, select.POLLIN)
            for reader, _event in poller.poll():
                worker = running[reader]
                piece = os.read(reader, _CHUNK)
                worker.answer += piece
                if not piece:
                    poller.unregister(reader)
                    running.pop(reader).end()
                    results[worker.place] = _result(worker.answer)
    finally:
        for worker in running.values():
            worker.end()
    return results


def _result(answer: bytes) -> t.Any:
    if not answer:
        raise errors.CockerError("work", "", "a process of the task ended without a word")
    value = json.loads(answer)
    if "error" in value:
        kind, op, subject, reason, hint = value["error"]
        raise _KINDS.get(kind, errors.CockerError)(op, subject, reason, hint=hint)
    return value["result"]


def _run(work: Work, writer: int, parent: int) -> t.NoReturn:
    """In the child. It never returns into the code that forked it."""
    code = 1
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() == parent:
            fs.write_all(writer, json.dumps(_value(work)).encode("ascii"))
            code = 0
    finally:
        os._exit(code)


def _value(work: Work) -> t.Dict[str, t.Any]:
    try:
        return {"result": work()}
    except errors.CockerError as error:
        return {"error": [type(error).__name__, error.op, error.subject, error.reason, error.hint]}
    except (OSError, ValueError, MemoryError, RecursionError) as error:
        return {"error": ["CockerError", "work", getattr(error, "filename", None) or "", str(error) or type(error).__name__, ""]}

# SPDX-License-Identifier: BSD-2-Clause
"""Pieces of work side by side, in processes of their own that end with the task. Not here: the work."""
from __future__ import annotations

import functools
import gc
import os
import pickle
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError

Work = t.Callable[[], t.Any]
Begin = t.Callable[[int], t.Callable[[t.Any], t.Any]]

_CHUNK = 64 << 10
_SIZE = 8               # bytes of the length before a message
_ANSWERED = (CockerError, OSError)


class Crew:
    """Processes that are given one piece of work after another, and keep in between what they have made.

    One is forked when it is needed and begins as this process is then: no thread may be alive. `begin` is called in it, once, with how many
    there were before, and returns what answers to whatever it is given; both can be pickled.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin, self._hired = begin, 0
        self._workers: t.List[_Worker] = []

    @property
    def busy(self) -> t.List[t.Any]:
        """What is worked on."""
        return [worker.asked[0] for worker in self._workers if worker.asked]

    def give(self, asked: t.Any) -> None:
        """To one that has nothing to do, or else to a new one."""
        worker = next((each for each in self._workers if not each.asked), None)
        if worker is None:
            worker = _Worker(functools.partial(self._begin, self._hired), self._workers)
            self._workers.append(worker)
            self._hired += 1
        worker.give(asked)

    def answered(self) -> t.List[t.Tuple[t.Any, t.Any]]:
        """Waits until somebody is done: what was asked, with the answer or the exception in its place. A process may have died of it."""
        poller = select.poll()
        working = {worker.answers: worker for worker in self._workers if worker.asked}
        for fd in working:
            poller.register(fd, select.POLLIN)
        found: t.List[t.Tuple[t.Any, t.Any]] = []
        while working and not found:
            for fd, _event in poller.poll():
                worker = working[fd]
                asked = worker.asked[0]
                if worker.has_answered():
                    found.append((asked, worker.take()))
                    if worker.ended:
                        self._workers.remove(worker)
        return found

    def end(self) -> None:
        """Whoever still works is killed."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()


class _Worker:
    """`asked` holds the one thing that it works on, and is empty while it has nothing to do."""

    def __init__(self, begin: t.Callable[[], t.Callable[[t.Any], t.Any]], others: t.Sequence[_Worker]) -> None:
        self.asked: t.Tuple[t.Any, ...] = ()
        self.ended = False
        self._answer = b""
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (self.requests, self.answers, *(fd for other in others for fd in (other.requests, other.answers))):
                os.close(fd)
            _serve(begin, requests, answers, parent)
        os.close(requests)
        os.close(answers)

    def give(self, asked: t.Any) -> None:
        self.asked = (asked,)
        fs.write_all(self.requests, _message(asked))

    def has_answered(self) -> bool:
        """Whole, or never will."""
        piece = os.read(self.answers, _CHUNK)
        self._answer += piece
        if not piece:
            self.end()
        return self.ended or _is_whole(self._answer)

    def take(self) -> t.Any:
        answer, self._answer, self.asked = self._answer, b"", ()
        if not _is_whole(answer):
            return CockerError("work", "", "a process of the task ended without a word")
        return pickle.loads(answer[_SIZE:])

    def end(self) -> None:
        """Our own child, not waited for yet: the number is still its."""
        self.ended = True
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.requests)
        os.close(self.answers)


def run(works: t.Sequence[Work], *, most: int) -> t.List[t.Any]:
    """What each returns, in their order; at most so many at once. The first failure ends the others, and is raised.

    No thread may be alive.
    """
    results: t.List[t.Any] = [None] * len(works)
    crew = Crew(lambda _number: lambda place: works[place]())
    waiting = list(range(len(works)))
    try:
        while waiting or crew.busy:
            while waiting and len(crew.busy) < most:
                crew.give(waiting.pop(0))
            for place, answer in crew.answered():
                if isinstance(answer, Exception):
                    raise answer
                results[place] = answer
    finally:
        crew.end()
    return results


def each(work: t.Callable[[t.Any], t.Any], given: t.Sequence[t.Any], *, most: int) -> t.Iterator[t.Tuple[t.Any, t.Any]]:
    """All of them, whatever fails: what was given, in its order, with the answer, or the error in its place, as soon as they are known.

    A single one is worked on by the caller's process. No thread may be alive.
    """
    if len(given) == 1:
        yield given[0], _try(work, given[0])
        return
    crew = Crew(lambda _number: lambda place: work(given[place]))
    waiting, known, told = list(range(len(given))), {}, 0  # type: t.List[int], t.Dict[int, t.Any], int
    try:
        while told < len(given):
            while waiting and len(crew.busy) < most:
                crew.give(waiting.pop(0))
            known.update(crew.answered())
            while told in known:
                yield given[told], known.pop(told)
                told += 1
    finally:
        crew.end()


def _try(work: t.Callable[[t.Any], t.Any], asked: t.Any) -> t.Any:
    try:
        return work(asked)
    except _ANSWERED as error:
        return error


def _message(value: t.Any) -> bytes:
    content = pickle.dumps(value)
    return len(content).to_bytes(_SIZE, "little") + content


def _is_whole(message: bytes) -> bool:
    return len(message) >= _SIZE and len(message) - _SIZE == int.from_bytes(message[:_SIZE], "little")


def _serve(begin: t.Callable[[], t.Callable[[t.Any], t.Any]], requests: int, answers: int, parent: int) -> t.NoReturn:
    """In the child. It never returns into the code that forked it."""
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() == parent:
            gc.freeze()     # what the task has made is not looked at, and so stays shared
            work = begin()
            with open(requests, "rb") as stream:
                while True:
                    size = stream.read(_SIZE)
                    asked = pickle.loads(stream.read(int.from_bytes(size, "little")))
                    fs.write_all(answers, _answer(work, asked))
    finally:
        os._exit(1)


def _answer(work: t.Callable[[t.Any], t.Any], asked: t.Any) -> bytes:
    """Whatever fails, fails where it was asked for: it is another process that can tell of it."""
    try:
        return _message(work(asked))
    except _ANSWERED as error:
        return _message(error)
    except Exception as error:
        return _message(CockerError("work", "", "%s: %s" % (type(error).__name__, error)))

# SPDX-License-Identifier: BSD-2-Clause
"""cocker_containers: several containers in one task. Each is observed, planned and changed by itself; a failure of one is its own.

Those that have something to do are worked on side by side, as soon as the ones that they wait for are done (precedence.py).
Not here: one container (containers.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe, precedence
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, Kept
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import START, STOP
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import (
    ABSENT,
    HEALTHY,
    PAUSED,
    STARTED,
    ContainersWish,
    ContainerWish,
    Member,
)

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.engine.workers import Crew
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.launcher import Launcher

Answer = t.Union[Outcome, CockerError, OSError]
Found = t.Dict[str, Answer]

_RUNS = (STARTED, HEALTHY, PAUSED)
_MOST_WORKING = 4       # at once, and no more than there are CPUs
_MOST_WAITING = 32      # for an end, a registry, a health check


def ensure(host: Host, wish: ContainersWish) -> t.List[t.Tuple[str, Answer]]:
    """What became of each, in the order of the task."""
    members = {member.wish.spec.name: member for member in wish.members}
    found: Found = {}
    if host.dry_run:
        for name in precedence.sequence(wish):
            found[name] = _refused(host, members, name, found) or _one(host, members[name], found)
    else:
        _SideBySide(host, wish, members, found).run()
    return [(name, found[name]) for name in members]


def _one(host: Host, member: Member, found: t.Mapping[str, Answer]) -> Answer:
    try:
        if member.wish.state in _RUNS:
            for need in member.needs_healthy:
                _require_healthy(host, member.wish, need, found)
        return containers.ensure(host, member.wish)
    except (CockerError, OSError) as error:
        return error


class _SideBySide:
    """`ready` are those that have something to do, `slow` the ones among them that may have to wait for something meanwhile.

    `again` is tried alone: beside others it met a name, a port or an address that was still, or already, somebody's.
    """

    def __init__(self, host: Host, wish: ContainersWish, members: t.Mapping[str, Member], found: Found) -> None:
        self._host, self._members, self._found = host, members, found
        self._waits = precedence.waits(host, wish)
        self._waiting = precedence.sequence(wish)
        self._ready: t.List[str] = []
        self._again: t.List[str] = []
        self._slow: t.Set[str] = set()
        self._crew: t.Optional[Crew] = None
        self._launchers: t.List[Launcher] = []
        self._most = {False: min(len(os.sched_getaffinity(0)), _MOST_WORKING), True: _MOST_WAITING}

    def run(self) -> None:
        try:
            while len(self._found) < len(self._members):
                self._look()
                if self._crew is not None and self._crew.busy or len(self._ready) > 1:
                    self._work()
                elif self._ready or self._again:
                    self._work_alone((self._ready or self._again).pop())
        finally:
            if self._crew is not None:
                self._crew.end()
            for ready in self._launchers:
                ready.let_go()

    def _look(self) -> None:
        """At all whose turn has come; whoever has nothing to do is done, and it may be the turn of others then."""
        for name in list(self._waiting):    # what one waits for comes before it
            if self._waits[name] <= self._found.keys():
                self._waiting.remove(name)
                answer = _refused(self._host, self._members, name, self._found) or _ahead(self._host, self._members[name])
                if not isinstance(answer, bool):
                    self._found[name] = answer
                    continue
                self._ready.append(name)
                self._slow |= {name} if answer else set()

    def _work_alone(self, name: str) -> None:
        """In this process, as there is nothing else to do meanwhile."""
        self._found[name] = _one(self._host, self._members[name], self._found)

    def _work(self) -> None:
        crew = self._hired()
        for name in list(self._ready):
            is_slow = name in self._slow
            if len([each for each in crew.busy if (each in self._slow) == is_slow]) < self._most[is_slow]:
                self._ready.remove(name)
                crew.give(name)
        for name, answer in crew.answered():
            if isinstance(answer, (Conflict, NotFound)):
                self._again.insert(0, name)
            else:
                self._found[name] = answer

    def _hired(self) -> Crew:
        """What all of them need is loaded once, by the process that they are forked from; their launchers load meanwhile."""
        if self._crew is None:
            runs = [self._members[name] for name in self._ready if self._members[name].wish.state in _RUNS]
            with contextlib.suppress(CockerError, OSError):     # each tries again, and says what is wrong
                self._begin_launchers(min(len(runs), self._most[False]))
            from ansible_collections.cocker.engine.plugins.module_utils.engine import container_change, workers  # noqa: F401
            from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink
            from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # noqa: F401

            if any(member.wish.spec.attachments() for member in runs):
                with contextlib.suppress(Unsupported):
                    netlink.load()
            self._crew = workers.Crew(self._begin)
        return self._crew

    def _begin_launchers(self, count: int) -> None:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle
        from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher

        layout = self._host.layout
        self._host.ensure_store()
        engine = bundle.install(layout.engine)
        for _each in range(count):
            self._launchers.append(launcher.Launcher(engine=engine, python=bundle.python(), beside=layout.containers_run))
            self._launchers[-1].share()

    def _begin(self, number: int) -> t.Callable[[str], Answer]:
        """A launcher listens to one process."""
        host = dataclasses.replace(self._host, kept=Kept())
        if number < len(self._launchers):
            host.kept.launcher = self._launchers[number]
        return lambda name: _one(host, self._members[name], {})


def _ahead(host: Host, member: Member) -> t.Union[Answer, bool]:
    """What became of it where there is nothing to do and to wait for; else whether what there is may take its time."""
    wish = member.wish
    try:
        if wish.pull is not None and wish.state != ABSENT:
            from ansible_collections.cocker.engine.plugins.module_utils.engine import image_pull  # registries: few tasks ask them

            if image_pull.is_needed(host, wish, wish.pull):
                return True
        if not all(observe.is_healthy(observe.container(host, need)) for need in member.needs_healthy):
            return True
        if wish.state != ABSENT and not os.path.lexists(host.layout.container(wish.spec.name)):
            return wish.state == HEALTHY or not wish.detach     # it is made, and whoever makes it looks first
        found = containers.settled(host, wish)
    except (CockerError, OSError) as error:
        return error
    if isinstance(found, Outcome):
        return found
    kinds = [action.kind for action in found.actions]
    return not kinds or STOP in kinds or (START in kinds and (wish.state == HEALTHY or not wish.detach))


def _refused(host: Host, members: t.Mapping[str, Member], name: str, found: t.Mapping[str, Answer]) -> t.Optional[CockerError]:
    """Where something that it needs does not run, or would not in the real run."""
    if members[name].wish.state not in _RUNS:
        return None
    try:
        for need in members[name].needs:
            _require(host, name, need, members, found)
    except CockerError as error:
        return error
    return None


def _require(host: Host, name: str, need: str, members: t.Mapping[str, Member], found: t.Mapping[str, Answer]) -> None:
    if isinstance(found.get(need), Exception):
        raise Conflict("start container", name, "it depends on %s, which failed" % need)
    runs = need in members and members[need].wish.state in _RUNS
    if not runs and not observe.container(host, need).is_running:
        raise Conflict("start container", name, "it depends on %s, which does not run" % need)


def _require_healthy(host: Host, wish: ContainerWish, need: str, found: t.Mapping[str, Answer]) -> None:
    """Waits, but for one that would only be started or changed in the real run. Raises Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import healthy  # few ask for it

    foreseen = found.get(need)
    if host.dry_run and isinstance(foreseen, Outcome) and foreseen.changed:
        return
    state = observe.container(host, need)
    try:
        healthy.require_check(state.record)
        if host.dry_run:
            healthy.require_healthy(host, state)
        else:
            healthy.wait(host, need, wish.healthy_within)
    except CockerError as error:
        reason = "it depends on %s, which is not healthy: %s" % (need, error.reason)
        raise Conflict("start container", wish.spec.name, reason, hint=error.hint) from error

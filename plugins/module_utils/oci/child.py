# SPDX-License-Identifier: BSD-2-Clause
"""The container's first process from its fork to its program: it builds, is told what to do in between, and waits to be started.

It talks with who forked it by one byte and what belongs to it. Nothing is imported here any more: what would be found is the
container's. Not here: the other end (create.py).
"""
from __future__ import annotations

import json
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, process
from ansible_collections.cocker.engine.plugins.module_utils.oci import build, command, hooks, spaces, talk
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Config
from ansible_collections.cocker.engine.plugins.module_utils.runtime import command as engine_command, streams, sync

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp

_PIECE = 1 << 16


class Plan(t.NamedTuple):
    """All that is known before the fork. `state` is what hooks are told, `keep` how many descriptors stay open."""

    config: Config
    tree: build.Tree
    entered: spaces.Spaces
    seat: spaces.Seat
    syscalls: t.Optional[seccomp.Prepared]
    state: t.Mapping[str, t.Any]
    keep: int
    listeners: int
    new_keyring: bool

    def held(self) -> t.List[int]:
        return [*self.tree.held(), *self.entered.joined.values(), *self.seat.held()]


class Links(t.NamedTuple):
    """`talk` to who forked us, `gate` to be started by, `answer` to say how that went: both -1 for one that starts as soon as it is ready.

    `console` is -1 without a terminal.
    """

    talk: int
    gate: int
    answer: int
    console: int

    def held(self) -> t.List[int]:
        return [fd for fd in self if fd >= 0]


def fork(plan: Plan, links: Links) -> int:
    """The pid of our child: the first process itself, or one that will tell it and end."""
    if plan.entered.has_user:
        pid = spaces.fork_seated(plan.seat)
        if pid == 0:
            _guarded(plan, links, _stage)
        return pid
    homes = spaces.homes(plan.entered)
    spaces.enter_for_children(plan.entered, plan.config)
    pid = spaces.fork_seated(plan.seat)
    if pid == 0:
        _guarded(plan, links, _first)
    for kind, fd in homes.items():
        namespaces.setns(fd, kind)
        os.close(fd)
    return pid


def _guarded(plan: Plan, links: Links, way: t.Callable[[Plan, Links], None]) -> t.NoReturn:
    """Nothing may return into the code of the caller, of which this is a copy."""
    try:
        signal.set_wakeup_fd(-1)
        engine_command.forget_host()
        streams.close_all(keep={*range(3 + plan.keep), *links.held(), *plan.held()})
        process.set_dumpable(dumpable=False)
        way(plan, links)
    except BaseException as error:
        sync.send(links.talk, sync.describe("start", error), prefix=talk.FAILED)
        os._exit(1)
    os._exit(0)


def _stage(plan: Plan, links: Links) -> None:
    _set_oom_score(plan)
    pid = spaces.fork_in_user_space(plan.entered, plan.config, lambda: _ask(links, talk.MAPS))
    if pid:
        os.write(links.talk, talk.PID + b"%d" % pid)
        return
    _go_on(plan, links, but=tuple(kind for kind in plan.entered.joined if kind != "mount") + ("user",))


def _first(plan: Plan, links: Links) -> None:
    _set_oom_score(plan)
    _go_on(plan, links, but=())


def _set_oom_score(plan: Plan) -> None:
    if plan.config.process.core.oom_score_adj is not None:
        process.set_oom_score(plan.config.process.core.oom_score_adj)


def _ask(links: Links, what: bytes) -> bytes:
    """What came with the answer. Whoever forked us may be gone: then there will be no container."""
    os.write(links.talk, what)
    said = os.read(links.talk, _PIECE)
    if said[:1] != talk.GO:
        os._exit(1)
    return said[1:]


def _go_on(plan: Plan, links: Links, *, but: t.Container[str]) -> None:
    os.setsid()
    spaces.enter(plan.entered, but=but)
    if plan.new_keyring:
        command.join_keyring(plan.state["id"])
    config = plan.config
    if config.net_devices:
        _ask(links, talk.DEVICES)
    root, master, slave = build.fill(plan.tree, config, new_network="network" in plan.entered.made)
    if master >= 0:
        from ansible_collections.cocker.engine.plugins.module_utils.oci import console  # loaded where there is a terminal (create.py)
        console.hand_over(links.console, master)
    state = plan.state
    if hooks.need_process(config.hooks):
        state = dict(state, **json.loads(_ask(links, talk.HOOKS)))
        hooks.run(config.hooks, "createContainer", state)
    build.finish(root, config)
    for fd in (*plan.entered.joined.values(), *plan.seat.held()):
        os.close(fd)
    if slave >= 0:
        from ansible_collections.cocker.engine.plugins.module_utils.oci import console
        console.take(slave)
    wanted = config.process._replace(core=command.with_listeners(config.process.core, plan.listeners))
    env = command.settle(
        wanted, syscalls=plan.syscalls, personality=config.personality, memory=config.memory_policy,
        tell=lambda listener: _ask(links, talk.LISTENER + b"%d" % listener))
    program = command.find_program(wanted.core.args[0], env)
    if links.gate < 0:
        _become(plan, program, env, state)      # which closes `talk`
        return
    os.write(links.talk, talk.READY)
    os.close(links.talk)
    _wait_and_become(plan, links, program, env, state)


def _become(plan: Plan, program: str, env: t.Mapping[str, str], state: t.Mapping[str, t.Any]) -> None:
    hooks.run(plan.config.hooks, "startContainer", dict(state, status="created"))
    command.become(program, plan.config.process.core.args, env, keep=plan.keep)


def _wait_and_become(plan: Plan, links: Links, program: str, env: t.Mapping[str, str], state: t.Mapping[str, t.Any]) -> None:
    """What fails from here on is said to who starts it."""
    try:
        if not os.read(links.gate, 1):
            os._exit(1)
        _become(plan, program, env, state)
    except BaseException as error:
        sync.send(links.answer, sync.describe("start", error), prefix=talk.FAILED)
        os._exit(1)

# SPDX-License-Identifier: BSD-2-Clause
"""A host made ready for containers: forwarding, kernel modules, the command `cocker` and the service that brings containers back.

What fails leaves what was done before it: none of it hurts, and the next task goes on from there. Not here: what is found
(hostlook.py), and packages, which the role `host` brings.
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostlook
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.hostlook import PLACES, Found, Places
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, programs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CommandWish, ReadyWish

PREPARE = "prepare"
LOAD, WRITE, FORWARD, INSTALL, LINK, START = "load_module", "write_file", "turn_on", "install_command", "link", "start_service"
FORWARDING = "net.ipv4.ip_forward"

_HEAD = "# Written by the role cocker.engine.host"
_UNIT = """\
[Unit]
Description=Containers that their restart policy keeps running
After=network.target nftables.service firewalld.service
RequiresMountsFor={home}

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=COCKER_HOME={home}
ExecStart={command} boot
ExecStop={command} shutdown
# What it starts is not its own: containers live in scopes of cocker.slice
KillMode=process
TimeoutStartSec=infinity
TimeoutStopSec=10min

[Install]
WantedBy=multi-user.target
"""


def ensure(host: Host, wish: ReadyWish, places: Places = PLACES) -> Outcome:
    """`needed` in the result: nothing was done, as the command has to come along, packed for the interpreter that it names."""
    found = hostlook.look(wish, places)
    is_stopped = wish.stops and hostlook.is_incomplete(found, with_pyroute2=wish.with_pyroute2)
    told = {"host": hostlook.shown(found), "is_stopped": is_stopped}
    if is_stopped:
        return outcome(Plan(), told)
    if wish.command is not None and _is_needed(wish.command, found, dry_run=host.dry_run):
        return outcome(Plan(), {**told, "needed": found.interpreter})
    plan = make_plan(wish, found, places, home=host.layout.home)
    execute(plan, lambda action: Step(_deed(action, wish, plan, places, home=host.layout.home)), dry_run=host.dry_run)
    if not host.dry_run:
        _survive(plan, places)
        plan = _without_refused(plan, places)
    return outcome(plan, told)


def _is_needed(command: CommandWish, found: Found, *, dry_run: bool) -> bool:
    """A command for another interpreter is another one; in check mode its digest will do."""
    if command.interpreter != found.interpreter:
        return True
    return found.files[command.path] != _as_found(command) and command.archive is None and not dry_run


def _as_found(command: CommandWish) -> str:
    return "0755 " + command.digest


def make_plan(wish: ReadyWish, found: Found, places: Places, *, home: str) -> Plan:
    """Pure."""
    actions: t.List[Action] = []
    before: t.Dict[str, t.Any] = {}
    after: t.Dict[str, t.Any] = {}

    def want(kind: str, subject: str, have: object, value: object) -> None:
        if have != value:
            actions.append(Action(kind, subject))
            before[subject], after[subject] = have, value

    for module in found.unloaded:
        want(LOAD, module, "not loaded", "loaded")
    for path, lines in _texts(wish, found, places, home=home).items():
        want(WRITE, path, found.texts[path], ["0644", *lines])
    if wish.forwards:
        want(FORWARD, FORWARDING, found.forwarding, "1")
    if wish.command is not None:
        want(INSTALL, wish.command.path, found.files[wish.command.path], _as_found(wish.command))
        want(LINK, wish.command.link, found.files[wish.command.link], wish.command.path)
    if wish.service and found.is_systemd:
        want(START, os.path.basename(places.service), [] if places.service in after else found.service, hostlook.RUNS)
    return Plan(PREPARE, tuple("%s is not as it should be" % name for name in after), tuple(actions), before, after) if actions else Plan()


def _texts(wish: ReadyWish, found: Found, places: Places, *, home: str) -> t.Dict[str, t.List[str]]:
    """The lines of the files that are written here."""
    wanted = {}
    if found.loadable:
        wanted[places.modules] = [_HEAD, *found.loadable]
    if wish.forwards:
        wanted[places.sysctl] = [_HEAD, "%s = 1" % FORWARDING]
    if wish.service and wish.command is not None and found.is_systemd:
        wanted[places.service] = [_HEAD, *_UNIT.format(home=home, command=wish.command.path).splitlines()]
    return wanted


def _deed(action: Action, wish: ReadyWish, plan: Plan, places: Places, *, home: str) -> t.Callable[[], None]:
    deeds: t.Dict[str, t.Callable[[], None]] = {
        LOAD: lambda: _load(action.subject),
        WRITE: lambda: _write(action.subject, "".join(line + "\n" for line in plan.after[action.subject][1:]).encode(), mode=0o644),
        FORWARD: lambda: _turn_on(places.forwarding),
        INSTALL: lambda: _install(wish.command, home=home),
        LINK: lambda: _link(wish.command),
        START: lambda: _start(action.subject),
    }
    return deeds[action.kind]


def _load(module: str) -> None:
    """Where the kernel refuses it, cocker_host_info says in the end what does not work without it."""
    programs.run(programs.find("modprobe") or "", module)


def _write(path: str, content: bytes, *, mode: int) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fs.write_atomic(path, content, mode=mode)


def _turn_on(path: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write("1\n")


def _install(command: t.Optional[CommandWish], *, home: str) -> None:
    """It is compiled where it looks for that, so that the service need not do it at the first boot. Without the folder it keeps nothing."""
    if command is None or command.archive is None:
        return
    _write(command.path, command.archive, mode=0o755)
    for folder in (home, os.path.join(home, "engine")):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    _run(command.path, "--help", environ={"COCKER_HOME": home})


def _link(command: t.Optional[CommandWish]) -> None:
    if command is None:
        return
    temporary = os.path.join(os.path.dirname(command.link), fs.temporary_name(os.path.basename(command.link)))
    os.symlink(command.path, temporary)
    try:
        os.rename(temporary, command.link)
    except OSError:
        os.unlink(temporary)
        raise


def _start(unit: str) -> None:
    for verb in (("daemon-reload",), ("enable", unit), ("start", unit)):
        _run(programs.find("systemctl") or "", *verb)


def _run(program: str, *arguments: str, environ: t.Optional[t.Mapping[str, str]] = None) -> None:
    done = programs.run(program, *arguments, environ=environ)
    if done.status:
        said = done.errors.strip().splitlines()
        raise CockerError("run", " ".join((program, *arguments)), said[-1] if said else "exit status %d" % done.status)


def _survive(plan: Plan, places: Places) -> None:
    """What was done is there after a power cut: systemctl and the compiler make files that they do not sync."""
    wrote = [action.subject for action in plan.actions if action.kind in (WRITE, INSTALL, LINK)]
    wrote += [places.service] if any(action.kind == START for action in plan.actions) else []
    done = set()
    for folder in map(os.path.dirname, wrote):
        device = os.stat(folder).st_dev
        if device not in done:
            done.add(device)
            fs.sync_filesystem(folder)


def _without_refused(plan: Plan, places: Places) -> Plan:
    """A module that the kernel refuses to load is no change."""
    refused = {action.subject for action in plan.actions if action.kind == LOAD and not hostlook.is_loaded(action.subject, places)}
    if not refused:
        return plan
    actions = tuple(action for action in plan.actions if action.subject not in refused)
    before, after = ({name: value for name, value in side.items() if name not in refused} for side in (plan.before, plan.after))
    reasons = tuple(reason for reason, name in zip(plan.reasons, plan.after) if name not in refused)
    return dataclasses.replace(plan, actions=actions, reasons=reasons, before=before, after=after) if actions else Plan()

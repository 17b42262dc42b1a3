# SPDX-License-Identifier: BSD-2-Clause
"""A container that is to be started: as a ticket, which is all that its supervisor keeps, and as an order, read from it and checked.

Not here: the processes that come of it (prepare.py), and who asks (launch.py).
"""
from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, process, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci, settings
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import cgroup_mount, child, credentials, rootfs, state, sysctls
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

ANSWERS, REQUESTS = 3, 4        # of a launcher
REPORT, ACKNOWLEDGED = 3, 4     # of a supervisor, which has nothing of the launcher's
GENERATIONS = 6     # a launcher from a supervisor from a launcher ...: each brings along what the ones before wrote to their memory


class Ticket(t.NamedTuple):
    """`cache` is the directory of filters; `reap` runs when it has ended by itself.

    `config` is config.json, held open and unread; -1 as long as it is not.
    """

    name: str
    folder: str
    state_dir: str
    reap: t.Sequence[str]
    cache: str
    layout: cgroupfs.Layout
    config: int = -1

    def cgroup(self) -> Cgroup:
        """It need not exist."""
        return factory.open_cgroup(self.name, layout=self.layout)


Source = t.Union[Ticket, t.Tuple[bytes, int]]       # or the message that it is in, and its number there


def ticket_of(source: Source) -> Ticket:
    """A supervisor that sleeps keeps the message as it came: to read it is work, and so memory."""
    if isinstance(source, Ticket):
        return source
    text, number = source
    message, layout = json.loads(text), cgroupfs.remembered()
    found = message["containers"][number]
    return Ticket(found["name"], found["bundle"], found["state_dir"], found["reap"], message["seccomp_cache"], layout)


class Order(t.NamedTuple):
    """Read and checked; its cgroup need not exist."""

    name: str
    folder: str
    state_dir: str
    bundle: oci.Bundle
    cgroup: Cgroup
    plan: child.Plan


def opened(ticket: Ticket) -> Ticket:
    """With its config.json: a newer one takes its place and leaves this one as it is."""
    return ticket._replace(config=os.open(ticket.folder + "/config.json", os.O_RDONLY | os.O_CLOEXEC))


def content(ticket: Ticket) -> bytes:
    return os.pread(ticket.config, os.fstat(ticket.config).st_size, 0)


def refuse_running(ticket: Ticket) -> None:
    found = state.find(ticket.state_dir)
    if found is not None and found.is_running():
        raise Conflict("start", ticket.name, "it runs already")


def read(ticket: Ticket) -> Order:
    """Everything that can be wrong without a process is found here. Raises CockerError, OSError, ValueError."""
    bundle = oci.parse(json.loads(content(ticket)))
    private = {namespace.kind for namespace in bundle.namespaces}
    sysctls.check(bundle.sysctl, private=private)
    process.signal_number(bundle.settings.stop_signal)
    mounts, syscalls, cgroup = rootfs.prepare(bundle), _filter(bundle.seccomp, ticket.cache), ticket.cgroup()
    plan = child.Plan(
        bundle=bundle, folder=ticket.folder, mounts=mounts, syscalls=syscalls, new_spaces=child.new_spaces(bundle),
        view=cgroup_mount.View(ticket.layout, cgroup.paths(), "cgroup" in private),
    )
    return Order(ticket.name, ticket.folder, ticket.state_dir, bundle, cgroup, plan)


def _filter(profile: t.Optional[oci.Object], cache: str) -> t.Optional[seccomp.Prepared]:
    if profile is None:
        return None
    credentials.check_filter(profile)
    os.makedirs(cache, mode=0o700, exist_ok=True)
    return seccomp.prepare(seccomp.cached(profile, cache), flags=seccomp.flags(profile))


def refreshed(order: Order) -> Order:
    """With the settings and limits that config.json has now; one that cannot be read changes nothing, for nobody is there to be told."""
    try:
        value = _now(order.folder)
        found, resources = settings.parse(value["annotations"]), value["linux"].get("resources") or {}
    except (CockerError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return order
    return order._replace(bundle=order.bundle._replace(settings=found, resources=resources))


def _now(folder: str) -> t.Any:
    with open(folder + "/config.json", "rb") as stream:
        return json.load(stream)


def settings_of(ticket: Ticket) -> settings.Settings:
    """Those of the beginning."""
    return settings.parse(json.loads(content(ticket)).get("annotations") or {})


def settings_now(folder: str) -> t.Optional[settings.Settings]:
    """As in `refreshed`; None where they cannot be read."""
    try:
        return settings.parse(_now(folder)["annotations"])
    except (CockerError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def undo(ticket: Ticket) -> None:
    """After a failed start, when no process is left but perhaps in the cgroup. Idempotent."""
    cgroup = ticket.cgroup()
    with tolerate(errno.ENOENT, errno.ENODEV):
        cgroup.kill()
    cgroup.remove()
    state.remove(ticket.state_dir)
    with tolerate(errno.ENOENT, errno.ENOTEMPTY):
        os.rmdir(ticket.state_dir)

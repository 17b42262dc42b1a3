# SPDX-License-Identifier: BSD-2-Clause
"""`cocker -a ACTION` on containers and their files: what each of the first cocker's actions asks the engine for.

Not here: how they are spelled (seed.py), actions on images (seedimages.py).
"""
from __future__ import annotations

import argparse
import os
import shlex
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, seedimages
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context
from ansible_collections.cocker.engine.plugins.module_utils.cli.seedimages import Action, Said, told
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container
from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import wishes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK

_MODES = {"HOST": "host", "BRIDGE": "bridge", "CUSTOM": "custom"}
_PERIOD, _WHOLE_SECOND = 100000, 1000000        # microseconds
_SIGKILL = 9
_LIMITS = ("cpus", "cpu_quota", "mem_limit")
_BOOTING = (*_LIMITS, "exec", "attach", "host_eth")
_NEW = ("host", "net", "vip", "port_mapping", "volume", "host_eth")


def _ensure(context: Context, said: Said, name: str, **options: t.Any) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers

    params = asked.params(args_container.SPEC, name=name, **options)
    return told(context, said, containers.ensure(context.acting(), parse_container.wish(params)))


def _state(context: Context, said: Said, name: str, state: str) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers

    told(context, said, containers.ensure(context.acting(), wishes.ContainerWish(ContainerSpec(name), state)))


def _find(context: Context, name: str) -> ContainerState:
    found = observe.container(context.acting(), name)
    if found.status is None:
        raise NotFound("container", "'%s'" % name, "not found")
    return found


def _stopped(context: Context, name: str) -> ContainerState:
    found = _find(context, name)
    if found.running is not None:
        raise Conflict("container", "'%s'" % name, "is already running", hint="shutdown comes first")
    return found


def _refuse_there(context: Context, name: str) -> None:
    if observe.container(context.looking(), name).status is not None:
        raise Conflict("container", "'%s'" % name, "exist")


# create, boot


def created(said: Said) -> t.Dict[str, t.Any]:
    """Pure. The options of a new container, as a task would say them. Raises Invalid."""
    net = said.net or "HOST"
    if net not in _MODES:
        raise Invalid("--net", "%r is none of %s" % (net, " ".join(_MODES)))
    if net == "BRIDGE" and not said.vip:
        raise Invalid("--net BRIDGE", "expect '--vip'")
    if net != "BRIDGE" and (said.vip or said.port_mapping):
        raise Invalid("--vip, --port-mapping", "expect '--net BRIDGE'")
    found: t.Dict[str, t.Any] = {
        "network_mode": _MODES[net], "hostname": said.host, "ipv4_address": said.vip, "published_ports": listed(said.port_mapping),
        "volumes": said.volume, "init": True, "command": [], "entrypoint": [],
    }
    return {**found, **booted(said)}


def booted(said: Said) -> t.Dict[str, t.Any]:
    """Pure. What is given at a boot, and stays with the container."""
    found: t.Dict[str, t.Any] = {}
    if said.cpus is not None:
        found["cpuset_cpus"] = said.cpus
    if said.cpu_quota is not None:
        found["cpu_period"], found["cpu_quota"] = _quota(said.cpu_quota)
    if said.mem_limit is not None:
        found.update(memory=said.mem_limit, memory_swap=said.mem_limit)
    if said.exec is not None:
        found.update(command=shlex.split(said.exec), entrypoint=[], init=False)
    return found


def _quota(text: str) -> t.Tuple[int, int]:
    """Period and quota: `30%` of one CPU, or microseconds in each second."""
    digits = text[:-1] if text.endswith("%") else text
    if not (digits.isascii() and digits.isdigit()):
        raise Invalid("--cpu-quota", "%r is neither N%% nor a number of microseconds" % text)
    return (_PERIOD, int(digits) * _PERIOD // 100) if text.endswith("%") else (_WHOLE_SECOND, int(digits))


def listed(text: t.Optional[str]) -> t.Optional[t.List[str]]:
    """Pure. Commas between; nothing between them is nothing."""
    return None if text is None else [word for word in text.split(",") if word]


def _uplink(context: Context, said: Said) -> None:
    if said.host_eth is not None:
        from ansible_collections.cocker.engine.plugins.module_utils.edge import args_network, parse_network
        from ansible_collections.cocker.engine.plugins.module_utils.engine import networks

        params = asked.params(args_network.SPEC, name=DEFAULT_NETWORK, uplink=said.host_eth)
        told(context, said, networks.ensure(context.acting(), parse_network.wish(params)))


def _create(context: Context, said: Said) -> t.Optional[int]:
    _refuse_there(context, said.container)
    options = created(said)
    _uplink(context, said)
    _ensure(context, said, said.container, images=listed(said.image), state="started" if said.boot else "present", **options)
    return _entered(context, said) if said.boot else None


def _boot(context: Context, said: Said) -> t.Optional[int]:
    _stopped(context, said.container)
    options = booted(said)
    _uplink(context, said)
    _ensure(context, said, said.container, state="started", **options)
    return _entered(context, said)


def _entered(context: Context, said: Said) -> t.Optional[int]:
    return _attach(context, said) if said.attach else None


def _attach(context: Context, said: Said) -> t.Optional[int]:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import attach

    _find(context, said.container)
    return attach.attach(context, said.container)


def _run(context: Context, said: Said) -> t.Optional[int]:
    """Ends as the command does. One that begins with nohup is not waited for: that is how services are started."""
    from ansible_collections.cocker.engine.plugins.module_utils.cli import session
    from ansible_collections.cocker.engine.plugins.module_utils.engine import exec as execution, sittings

    _find(context, said.container)
    words = said.cmd.split(None, 1)
    detach = words[:1] == ["nohup"] and len(words) > 1
    shell = sittings.shell(context.acting(), said.container)
    argv = (shell.argv[0], "-c", "exec " + words[1] if detach else said.cmd)
    wish = wishes.ExecWish(said.container, argv, chdir=shell.chdir, detach=detach)
    if detach:
        execution.run(context.acting(), wish)
        return None
    return session.sit(context, wish, interactive=False, detach=b"") or None


# shutdown, kill, destroy


def _shutdown(context: Context, said: Said) -> None:
    if _find(context, said.container).running is None and not said.forcely:
        raise Conflict("container", "'%s'" % said.container, "is not running")
    _state(context, said, said.container, wishes.STOPPED)


def _kill(context: Context, said: Said) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import signals

    if _find(context, said.container).running is not None:
        signals.send(context.acting(), said.container, _SIGKILL)
    elif not said.forcely:
        raise Conflict("container", "'%s'" % said.container, "is not running")


def _destroy(context: Context, said: Said) -> None:
    if not (said.shutdown or said.forcely):
        _stopped(context, said.container)
    _find(context, said.container)
    _state(context, said, said.container, wishes.ABSENT)


# properties of one that does not run


def _vip(context: Context, said: Said) -> None:
    found = _stopped(context, said.container)
    if found.record is not None and (found.record.spec.network_mode or "bridge") != "bridge":
        raise Conflict("container", "'%s'" % said.container, "has no address of its own: it was not made with --net BRIDGE")
    attachment = dict.fromkeys(args_container.SPEC.options["networks"]["options"])
    _ensure(context, said, said.container, state="present", networks=[{**attachment, "name": DEFAULT_NETWORK, "ipv4_address": said.vip}])


def _port_mapping(context: Context, said: Said) -> None:
    """The whole list; an empty one for none."""
    _stopped(context, said.container)
    _ensure(context, said, said.container, state="present", published_ports=listed(said.port_mapping))


def _volume(context: Context, said: Said) -> None:
    """The whole list; an empty one for none."""
    _stopped(context, said.container)
    _ensure(context, said, said.container, state="present", volumes=[word for word in said.volume if word], tmpfs=[])


def _to_container(context: Context, said: Said) -> None:
    _refuse_there(context, said.to_container)
    options = created(said)
    _uplink(context, said)
    _ensure(context, said, said.to_container, state="present", from_image=said.from_image, images=listed(said.image) or [], **options)


# files


def _rplfile(context: Context, said: Said) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_template, parse_template
    from ansible_collections.cocker.engine.plugins.module_utils.engine import template

    _find(context, said.container)
    params = asked.params(
        args_template.SPEC, container=said.container, template_file=said.template_file, instance_file=said.instance_file,
        mapping_file=os.path.abspath(said.mapping_file))
    told(context, said, template.ensure(context.acting(), parse_template.wish(params)))


def _copy(*, out: bool) -> t.Callable[[Context, argparse.Namespace], None]:
    def run(context: Context, said: Said) -> None:
        from ansible_collections.cocker.engine.plugins.module_utils.cli import transfer

        _find(context, said.container)
        inside, outside = (said.src_file, said.dst_file) if out else (said.dst_file, said.src_file)
        told(context, said, transfer.copy(context, said.container, inside, outside, out=out))
    return run


ACTIONS: t.Dict[str, Action] = {
    "create": Action(_create, ("image", "container"), (*_NEW, "boot", *_BOOTING)),
    "boot": Action(_boot, ("container",), _BOOTING),
    "attach": Action(_attach, ("container",)),
    "run": Action(_run, ("container", "cmd")),
    "shutdown": Action(_shutdown, ("container",), ("forcely",)),
    "kill": Action(_kill, ("container",), ("forcely",)),
    "destroy": Action(_destroy, ("container",), ("forcely", "shutdown")),
    "vip": Action(_vip, ("container", "vip")),
    "port_mapping": Action(_port_mapping, ("container", "port_mapping")),
    "volume": Action(_volume, ("container", "volume")),
    "to_container": Action(_to_container, ("from_image", "to_container"), ("image", *_NEW)),
    "rplfile": Action(_rplfile, ("container", "template_file", "mapping_file"), ("instance_file",)),
    "putfile": Action(_copy(out=False), ("container", "src_file", "dst_file")),
    "getfile": Action(_copy(out=True), ("container", "src_file", "dst_file")),
    **seedimages.ACTIONS,
}

# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container, read: each alone first, then those that depend on each other.

Not here: limits (parse_limits.py) and security (parse_security.py); whether images, networks and volumes exist (engine/containers.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image, parse_limits, parse_network, parse_security, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts, names, network, ports, units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import BRIDGE, Attachment, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import PAUSED, PRESENT, STARTED, ContainerWish

HOSTNAME_LENGTH = 64  # sethostname(2)
_HOSTNAME_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
_NUMBER = 'quote it, or write it as "8080/tcp"; without quotes YAML reads 22:22 as the number 1342'

Attachments = t.Tuple[Attachment, ...]


def wish(params: Params) -> ContainerWish:
    """Raises Invalid."""
    _refuse_without_bridge(params)
    return ContainerWish(
        spec=_spec(params),
        state=_state(params),
        restart=params["restart"],
        recreate=params["recreate"],
        on_change=params["on_change"],
        kill_signal=_kill_signal(params),
    )


def _state(params: Params) -> str:
    state, paused = str(params["state"]), params["paused"]
    if paused is not None and state not in (STARTED, PAUSED):
        raise Invalid("paused", "it goes with state: started, not with state: %s" % state)
    if state == PAUSED and paused is False:
        raise Invalid("paused", "false is the opposite of state: paused")
    if state == "created":
        return PRESENT
    return PAUSED if paused else state


def _kill_signal(params: Params) -> t.Optional[int]:
    """With force_kill the stop signal's part is the kill signal's, SIGKILL where none is given."""
    given = params["kill_signal"]
    number = None if given is None else units.parse_signal(given, "kill_signal")
    if number is not None and not params["force_kill"]:
        raise Invalid("kill_signal", "it goes with force_kill: true", hint="stop_signal is the one of an orderly stop")
    return (number or units.SIGNALS["KILL"]) if params["force_kill"] else None


def _spec(params: Params) -> ContainerSpec:
    return ContainerSpec(
        name=names.object_name(params["name"], "name"),
        images=_images(params),
        command=values.words(params["command"], "command"),
        entrypoint=values.words(params["entrypoint"], "entrypoint"),
        init=params["init"],
        env=values.environment(params["env"]),
        user=values.user(params["user"]),
        working_dir=values.absolute(params["working_dir"], "working_dir"),
        hostname=_hostname(params["hostname"]),
        network_mode=params["network_mode"],
        networks=_networks(params),
        published_ports=_published_ports(params["published_ports"]),
        mounts=_mounts(params),
        labels=values.labels(params["labels"]),
        stop_timeout=values.at_least(params["stop_timeout"], 0, "stop_timeout"),
        stop_signal=None if params["stop_signal"] is None else units.parse_signal(params["stop_signal"], "stop_signal"),
        **parse_limits.limits(params),
        **parse_security.security(params),
    )


def _images(params: Params) -> t.Optional[values.Words]:
    """Bottom first."""
    given = [params["image"]] if params["image"] is not None else params["images"]
    option = "image" if params["image"] is not None else "images"
    if given is None:
        return None
    if not given:
        raise Invalid(option, "at least one image is needed for a root file system")
    return tuple(parse_image.reference(each, option) for each in given)


def _hostname(value: t.Optional[str]) -> t.Optional[str]:
    if value is None:
        return None
    labels = value.split(".")
    fits = 0 < len(value) <= HOSTNAME_LENGTH and set(value) <= _HOSTNAME_LETTERS
    if not fits or any(not label or label.startswith("-") or label.endswith("-") for label in labels):
        raise Invalid("hostname", "%r is not a host name: up to %d letters, digits, dots and inner hyphens" % (value, HOSTNAME_LENGTH))
    return value


def _networks(params: Params) -> t.Optional[Attachments]:
    given, address = params["networks"], parse_network.address(params["ipv4_address"], "ipv4_address")
    if given is None:
        return None if address is None else _default_network(params, address)
    attachments = tuple(
        Attachment(names.object_name(each["name"], "networks.name"), parse_network.address(each["ipv4_address"], "networks.ipv4_address"))
        for each in given
    )
    for index, attachment in enumerate(attachments):
        if attachment.name in [earlier.name for earlier in attachments[:index]]:
            raise Invalid("networks", "%s is listed twice" % attachment.name)
    if address is None:
        return attachments
    if len(attachments) != 1 or attachments[0].ipv4_address not in (None, address):
        raise Invalid("ipv4_address", "it is for a container on one network; with more, give each its own in networks")
    return (Attachment(attachments[0].name, address),)


def _default_network(params: Params, address: str) -> Attachments:
    if is_partial(params):
        hint = "networks: [{name: NAME, ipv4_address: %s}]" % address
        raise Invalid("ipv4_address", "a task without images keeps what it does not say, so it must name the network too", hint=hint)
    return (Attachment(network.DEFAULT_NETWORK, address),)


def _published_ports(given: t.Optional[t.Sequence[t.Any]]) -> t.Optional[ports.Ports]:
    if given is None:
        return None
    for value in given:
        if isinstance(value, int) and not isinstance(value, bool):
            raise Invalid(ports.OPTION, "%d is a number, and a string is accepted" % value, hint=_NUMBER)
    return ports.normalise(given)


def _mounts(params: Params) -> t.Optional[t.Tuple[mounts.Mount, ...]]:
    volumes, tmpfs = params["volumes"], params["tmpfs"]
    if volumes is None and tmpfs is None:
        return None
    if is_partial(params) and (volumes is None or tmpfs is None):
        said, other = ("tmpfs", "volumes") if volumes is None else ("volumes", "tmpfs")
        raise Invalid(said, "a task without images must say all mounts together: give %s too, [] for none" % other)
    return mounts.merge(mounts.parse_volumes(volumes or ()), mounts.parse_tmpfs(tmpfs or ()))


def is_partial(params: Params) -> bool:
    """A task without images manages only what it says of a container that exists."""
    return params["image"] is None and params["images"] is None


def _refuse_without_bridge(params: Params) -> None:
    mode = params["network_mode"]
    if mode in (None, BRIDGE):
        return
    for option in ("networks", "ipv4_address", "published_ports"):
        if params[option]:
            raise Invalid(option, "it needs network_mode: bridge; with %s the engine gives the container no address" % mode)

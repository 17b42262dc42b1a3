# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container, read: each alone first, then those that depend on each other.

Not here: networks and ports (parse_container_network.py), limits (parse_limits.py), security (parse_security.py);
whether images, networks and volumes exist (engine/containers.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import (
    parse_container_names,
    parse_container_network,
    parse_image,
    parse_limits,
    parse_security,
    parse_supervision,
    values,
)
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts, names, units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import PAUSED, PRESENT, STARTED, ContainerWish

HOSTNAME_LENGTH = 64  # sethostname(2)
_HOSTNAME_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")


def wish(params: Params) -> ContainerWish:
    """Raises Invalid."""
    return ContainerWish(
        spec=_spec(params),
        state=_state(params),
        restart=params["restart"],
        recreate=params["recreate"],
        repin=params["repin"],
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
        mounts=_mounts(params),
        labels=values.labels(params["labels"]),
        stop_timeout=values.at_least(params["stop_timeout"], 0, "stop_timeout"),
        stop_signal=None if params["stop_signal"] is None else units.parse_signal(params["stop_signal"], "stop_signal"),
        **parse_container_network.network(params, is_partial=is_partial(params)),
        **parse_container_names.names(params),
        **parse_limits.limits(params),
        **parse_security.security(params),
        **parse_supervision.supervision(params),
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

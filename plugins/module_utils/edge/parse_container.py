# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container, read: each alone first, then those that depend on each other.

Not here: networks and ports (parse_container_network.py), the process (parse_process.py), limits (parse_limits.py), security
(parse_security.py); whether images, networks and volumes exist (engine/containers.py).
"""
from __future__ import annotations

import math
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import (
    parse_comparisons,
    parse_container_names,
    parse_container_network,
    parse_image,
    parse_limits,
    parse_process,
    parse_security,
    parse_supervision,
    values,
)
from ansible_collections.cocker.engine.plugins.module_utils.edge.args_container import PORTED, SPEC
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts, names, units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, PAUSED, PRESENT, STARTED, ContainerWish

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ImagePull


def wish(params: Params) -> ContainerWish:
    """Raises Invalid."""
    return ContainerWish(
        spec=_spec(params),
        state=_state(params),
        volumes_from=_volumes_from(params["volumes_from"]),
        keep_volumes=params["keep_volumes"],
        restart=params["restart"],
        recreate=params["recreate"],
        repin=params["repin"],
        from_image=None if params["from_image"] is None else parse_image.reference(params["from_image"], "from_image"),
        from_container=None if params["from_container"] is None else names.object_name(params["from_container"], "from_container"),
        on_change=params["on_change"],
        **_stay(params),
        kill_signal=_kill_signal(params),
        healthy_within=params["healthy_wait_timeout"] if params["healthy_wait_timeout"] > 0 else math.inf,
        warnings=tuple(_warnings(params)),
        comparisons=parse_comparisons.comparisons(params["comparisons"], SPEC.options),
        image_name_mismatch=params["image_name_mismatch"],
        image_labels=params["image_label_mismatch"],
        pull=_pull(params),
    )


def _pull(params: Params) -> t.Optional[ImagePull]:
    if params["state"] == ABSENT:
        return None
    if params["pull"] is None:
        for option in ("platform", "registry"):
            if params[option] is not None:
                raise Invalid(option, "it is for an image that is fetched, and goes with pull")
        return None
    if params["image"] is None and not params["images"]:
        raise Invalid("pull", "it needs image or images")
    from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image_pull  # few tasks ask a registry

    return parse_image_pull.pull(params)


def _warnings(params: Params) -> t.Iterator[str]:
    said = sorted(name for name in PORTED if params[name] is not None)
    if said:
        yield "%s: not needed and passed over, there is no daemon here that it could be about" % ", ".join(said)


def _state(params: Params) -> str:
    state, paused = str(params["state"]), params["paused"]
    if paused is not None and state not in (STARTED, PAUSED):
        raise Invalid("paused", "it goes with state: started, not with state: %s" % state)
    if state == PAUSED and paused is False:
        raise Invalid("paused", "false is the opposite of state: paused")
    if state == "created":
        return PRESENT
    return PAUSED if paused else state


def _stay(params: Params) -> t.Dict[str, bool]:
    if not params["detach"] and _state(params) != STARTED:
        raise Invalid("detach", "false goes with state: started, not with state: %s" % params["state"])
    for option in ("cleanup", "output_logs"):
        if params[option] and params["detach"]:
            raise Invalid(option, "it goes with detach: false")
    return {option: params[option] for option in ("detach", "cleanup", "output_logs")}


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
        mounts=_mounts(params),
        labels=values.labels(params["labels"]),
        auto_remove=params["auto_remove"],
        **parse_container_network.network(params, is_partial=is_partial(params)),
        **parse_container_names.names(params),
        **parse_process.process(params),
        **parse_limits.limits(params),
        **parse_security.security(params),
        **parse_supervision.supervision(params),
    )


def _images(params: Params) -> t.Optional[values.Words]:
    """Bottom first."""
    given = [params["image"]] if params["image"] is not None else params["images"]
    option = "image" if params["image"] is not None else "images"
    if given is None:
        return None if params["from_image"] is None else ()
    if not given and params["from_image"] is None:
        raise Invalid(option, "at least one image is needed for a root file system")
    return tuple(parse_image.wanted(each, option) for each in given)


def _mounts(params: Params) -> t.Optional[t.Tuple[mounts.Mount, ...]]:
    """`mounts` can say everything; the two short forms together, too."""
    volumes, tmpfs, given = params["volumes"], params["tmpfs"], params["mounts"]
    if volumes is None and tmpfs is None and given is None:
        return None
    if is_partial(params) and given is None and (volumes is None or tmpfs is None):
        said, other = ("tmpfs", "volumes") if volumes is None else ("volumes", "tmpfs")
        raise Invalid(said, "a task without images must say all mounts together: give %s too, [] for none" % other)
    parsed = [mounts.parse_mount({**each, "labels": values.labels(each["labels"], "mounts.labels")}) for each in given or ()]
    return mounts.merge([*mounts.parse_volumes(volumes or ()), *parsed], mounts.parse_tmpfs(_tmpfs(tmpfs or ())))


def _tmpfs(given: t.Any) -> t.List[str]:
    """A list, as docker_container has it, or a dictionary of targets and their options, as podman_container does."""
    if isinstance(given, t.Mapping):
        return ["%s:%s" % (target, options or "") for target, options in given.items()]
    if isinstance(given, str):
        return [given]
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, str) for each in given):
        raise Invalid("tmpfs", "%r is neither a list of TARGET[:OPTIONS] nor a dictionary of targets and their options" % (given,))
    return list(given)


def _volumes_from(given: t.Optional[t.Sequence[str]]) -> t.Tuple[t.Tuple[str, bool], ...]:
    """(container, read-only)"""
    found = []
    for value in given or ():
        name, colon, mode = value.partition(":")
        if colon and mode not in ("ro", "rw"):
            raise Invalid("volumes_from", "%r is not CONTAINER[:ro|rw]" % value)
        found.append((names.object_name(name, "volumes_from"), mode == "ro"))
    return tuple(found)


def is_partial(params: Params) -> bool:
    """A task without images manages only what it says of a container that exists."""
    return params["image"] is None and params["images"] is None and params["from_image"] is None

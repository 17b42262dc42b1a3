# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what runs in a container, after the images' configs had their say."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.inspect import Process
from ansible_collections.cocker.engine.plugins.module_utils.model import units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import SYSTEMD, ContainerSpec, stop_signal
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig

INIT_SYSTEM = ("/sbin/init",)


def merged(configs: t.Sequence[ImageConfig]) -> ImageConfig:
    """Of a stack, bottom first: what a higher image says wins, environment and labels add up."""
    result = ImageConfig()
    for config in configs:
        said = {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if getattr(config, field.name)}
        env = tuple("%s=%s" % pair for pair in {**pairs(result.env), **pairs(config.env)}.items())
        result = dataclasses.replace(result, **dict(said, env=env, labels={**result.labels, **config.labels}))
    return result


def process(spec: ContainerSpec, config: ImageConfig) -> Process:
    """What runs; with nothing to run, our PID 1: a small virtual machine.

    An entry point of the task's own does not go with the image's command (docker's rule), and an init system with nothing of the image's.
    """
    booted = spec.init == SYSTEMD
    entrypoint = spec.entrypoint if spec.entrypoint is not None else () if booted else config.entrypoint
    usual = () if spec.entrypoint is not None else INIT_SYSTEM if booted else config.cmd
    command = spec.command if spec.command is not None else usual
    env = {**pairs(config.env), **(spec.env or {})}
    return Process(
        args=(*entrypoint, *command),
        entrypoint=tuple(entrypoint),
        command=tuple(command),
        init=not (*entrypoint, *command) if spec.init is None else spec.init is True,
        systemd=booted,
        hostname=hostname(spec),
        stop_signal=units.signal_name(stop_signal(spec, config.stop_signal or None)),
        env=tuple("%s=%s" % (key, value) for key, value in sorted(env.items()) if value is not None),
        cwd=spec.working_dir or config.working_dir or "/",
        user=spec.user if spec.user is not None else config.user,
        labels={**config.labels, **(spec.labels or {})},
    )


def pairs(env: t.Iterable[str]) -> t.Dict[str, str]:
    return {key: value for key, _equals, value in (word.partition("=") for word in env)}


def hostname(spec: ContainerSpec) -> str:
    return spec.hostname if spec.hostname is not None else spec.name.replace("=", "-").replace("_", "-").replace("+", "-")[:63]

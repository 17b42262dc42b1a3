# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus of tasks written for docker_container and podman_container, and how a task becomes a wish: for tests of every layer."""
from __future__ import annotations

import json
import pathlib
import typing as t

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish

Task = t.Dict[str, t.Any]

FILE = pathlib.Path(__file__).resolve().parent / "corpus" / "containers.yml"
ENTRIES: t.List[t.Dict[str, t.Any]] = yaml.safe_load(FILE.read_text())
PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}


def wish(task: Task) -> ContainerWish:
    """As the module reads it. Raises Invalid, and ValueError for what the argument specification does not accept."""
    spec = args_container.SPEC
    checked = ArgumentSpecValidator(spec.options, **spec.rules).validate(task)
    if checked.error_messages:
        raise ValueError("; ".join(checked.error_messages))
    return parse_container.wish(checked.validated_parameters)


def changed(entry: t.Mapping[str, t.Any]) -> Task:
    """The task of its third run."""
    both = {**entry["task"], **entry["change"]}
    return {option: value for option, value in both.items() if value is not None}


def placed(task: Task, directory: pathlib.Path) -> Task:
    return t.cast(Task, json.loads(json.dumps(task).replace("DIR", str(directory))))


def make_files(directory: pathlib.Path) -> None:
    (directory / "app.env").write_text("# of the application\nFIRST=1\nOVER=file\n")
    (directory / "other.env").write_text("FIRST=2\n")
    (directory / "seccomp.json").write_text(json.dumps(PROFILE))

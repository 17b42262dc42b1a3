# SPDX-License-Identifier: BSD-2-Clause
"""The launcher: reads all requests, forks a supervisor for each, passes on what they say, and ends. Single-threaded.

Not here: what a supervisor does (supervisor.py).
"""
from __future__ import annotations

import gc
import json
import os
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import supervisor
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, process, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.runtime import credentials, rootfs, streams, sync, sysctls

ANSWERS = 3

Answer = t.Dict[str, t.Any]


def main() -> None:
    streams.close_all(keep=(0, 1, 2, ANSWERS))
    fds.close_range_cloexec(3)
    process.set_dumpable(dumpable=False)
    with open(0, "rb", closefd=False) as stream:
        message = json.load(stream)
    filters: t.Dict[str, t.Optional[seccomp.Prepared]] = {}
    orders: t.List[supervisor.Order] = []
    for request in message["containers"]:
        try:
            orders.append(_order(request, cache=message["seccomp_cache"], filters=filters))
        except (CockerError, OSError, ValueError) as error:
            _answer(request["name"], None, sync.describe("config", error))
    gc.disable()
    gc.freeze()         # what is here now is shared with every supervisor, and stays untouched
    _collect(_start_all(orders))


def _order(request: t.Mapping[str, t.Any], *, cache: str, filters: t.Dict[str, t.Optional[seccomp.Prepared]]) -> supervisor.Order:
    """Everything that can be wrong without a process is found here."""
    folder = request["bundle"]
    with open(os.path.join(folder, "config.json"), "rb") as stream:
        bundle = oci.parse(json.load(stream))
    shared = {namespace.kind for namespace in bundle.namespaces}
    sysctls.check(bundle.sysctl, private=shared)
    process.signal_number(bundle.settings.stop_signal)
    return supervisor.Order(
        name=request["name"], folder=folder, state_dir=request["state_dir"], reap=request["reap"], bundle=bundle,
        mounts=rootfs.prepare(bundle), syscalls=_filter(bundle.seccomp, cache, filters),
    )


def _filter(
    profile: t.Optional[oci.Object], cache: str, filters: t.Dict[str, t.Optional[seccomp.Prepared]]
) -> t.Optional[seccomp.Prepared]:
    """Containers of one batch mostly share a profile."""
    if profile is None:
        return None
    credentials.check_filter(profile)
    key = json.dumps(profile, sort_keys=True)
    if key not in filters:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        filters[key] = seccomp.prepare(seccomp.cached(profile, cache), flags=seccomp.flags(profile))
    return filters[key]


def _start_all(orders: t.Sequence[supervisor.Order]) -> t.Dict[int, t.Tuple[str, int]]:
    """Descriptor that a supervisor reports on -> (container, supervisor's pid)."""
    running: t.Dict[int, t.Tuple[str, int]] = {}
    for order in orders:
        heard, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            for fd in (heard, ANSWERS, *running):
                os.close(fd)
            _supervise(order, report)
        os.close(report)
        running[heard] = (order.name, pid)
    return running


def _supervise(order: supervisor.Order, fd: int) -> t.NoReturn:
    """What fails after the report is in the container's exit record, or nowhere: there is nobody left to tell."""
    code = 1
    try:
        supervisor.supervise(order, lambda init, failure: _report(fd, order.name, init, failure))
        code = 0
    except BaseException as error:  # a copy of the launcher must not go on as a second one
        with open(fd, "wb", closefd=False) as stream:
            stream.write(_line(order.name, None, sync.describe("start", error)))
        os._exit(1)
    os._exit(code)


def _report(fd: int, name: str, init: t.Optional[process.Identity], failure: t.Optional[sync.Failure]) -> None:
    os.write(fd, _line(name, init, failure))
    os.close(fd)


def _collect(running: t.Dict[int, t.Tuple[str, int]]) -> None:
    """In the order in which they report. One that dies without a word is a failure, too."""
    poller = select.poll()
    for fd in running:
        poller.register(fd, select.POLLIN)
    while running:
        for fd, _events in poller.poll():
            line = os.read(fd, select.PIPE_BUF)
            name, _pid = running.pop(fd)
            poller.unregister(fd)
            os.close(fd)
            if line:
                os.write(ANSWERS, line)
            else:
                _answer(name, None, sync.Failure("start", "start %s: the supervisor died" % name))


def _answer(name: str, init: t.Optional[process.Identity], failure: t.Optional[sync.Failure]) -> None:
    os.write(ANSWERS, _line(name, init, failure))


def _line(name: str, init: t.Optional[process.Identity], failure: t.Optional[sync.Failure]) -> bytes:
    answer: Answer = {"name": name, "pid": init.pid if init else 0, "start_time": init.start_time if init else 0}
    answer.update(error=failure.reason if failure else "", step=failure.step if failure else "")
    return json.dumps(answer).encode() + b"\n"

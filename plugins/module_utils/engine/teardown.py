# SPDX-License-Identifier: BSD-2-Clause
"""What is left of a container that does not run any more, taken away. Every step is idempotent and none stops the others.

Not here: ending it (lifecycle.py). Imports no launcher, so that whoever cleans up after a crash starts quickly.
"""
from __future__ import annotations

import errno
import os

from ansible_collections.cocker.engine.plugins.module_utils.engine import endpoints
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import finish
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CleanupError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory

_SUPERVISOR_ENDS = 10.0  # seconds from the end of PID 1 to the supervisor's


def clear(host: Host, name: str) -> None:
    """Processes, cgroups, volatile state, namespace, links and ports. Raises CleanupError when all was tried."""
    failures = finish([
        lambda: _end_supervisor(host, name),
        lambda: _remove_cgroup(names.encode(name)),
        lambda: _keep_ending(host, name),
        lambda: endpoints.release(host, name),
        lambda: fs.remove_tree(host.layout.container_run(name)),
    ])
    if failures:
        raise CleanupError("clean up container", name, failures)


def _end_supervisor(host: Host, name: str) -> None:
    """It has work to do after PID 1 ended: the rest of the log, the exit record. One that hangs is killed."""
    found = state.find(host.layout.container_run(name))
    if found is None or found.boot_id != process.boot_id():
        return
    process.signal(found.init, process.SIGNALS["KILL"])
    if not process.wait_gone(found.supervisor, _SUPERVISOR_ENDS):
        process.signal(found.supervisor, process.SIGNALS["KILL"])
        process.wait_gone(found.supervisor, _SUPERVISOR_ENDS)


def _remove_cgroup(name: str) -> None:
    group = factory.open_cgroup(name)
    if group.exists():
        group.kill()
        group.remove()


def _keep_ending(host: Host, name: str) -> None:
    """A run whose supervisor died has no exit record: it gets one that says so, before the volatile state goes."""
    found = state.find(host.layout.container_run(name))
    bundle = host.layout.container(name)
    if found is None or state.find_exit(bundle) is not None or not os.path.isdir(bundle):
        return
    state.write_exit(bundle, state.Ending(255, None, False, found.started_at, state.now(), "its supervisor died"))


def remove(host: Host, name: str) -> None:
    """Record, writable layer, logs and addresses. The directory goes out of sight at once, and then for good."""
    directory = host.layout.container(name)
    hidden = os.path.join(os.path.dirname(directory), ".removed-" + os.path.basename(directory))
    fs.remove_tree(hidden)
    with tolerate(errno.ENOENT):
        os.rename(directory, hidden)
    endpoints.forget(host, name)
    fs.remove_tree(hidden)


def restore_previous(host: Host, name: str) -> None:
    """A replacement that did not succeed: the former record and writable layer are in force again. Idempotent."""
    directory = host.layout.container(name)
    former = os.path.join(directory, PREVIOUS)
    if not os.path.isdir(former):
        return
    for part in _LAYER:
        if os.path.isdir(os.path.join(former, part)):
            fs.remove_tree(os.path.join(directory, part))
            os.rename(os.path.join(former, part), os.path.join(directory, part))
    if os.path.exists(os.path.join(former, "spec.json")):
        os.rename(os.path.join(former, "spec.json"), host.layout.spec(name))
    fs.fsync_dir(directory)
    fs.remove_tree(former)


def make_layer(host: Host, name: str) -> None:
    """The directory of a new container. `merged` is where its own mount namespace sees the root."""
    directory = host.layout.container(name)
    os.mkdir(directory, 0o700)
    for part, mode in (("upper", 0o755), ("work", 0o700), ("merged", 0o700), ("logs", 0o700)):
        os.mkdir(os.path.join(directory, part), mode)


def keep_previous(host: Host, name: str, *, layer: bool) -> None:
    """Record, and with `layer` the writable layer too, are set aside until the replacement has succeeded."""
    directory = host.layout.container(name)
    former = os.path.join(directory, PREVIOUS)
    os.makedirs(former, mode=0o700, exist_ok=True)
    if not os.path.exists(os.path.join(former, "spec.json")):
        with open(host.layout.spec(name), "rb") as record:
            fs.write_atomic(os.path.join(former, "spec.json"), record.read())
    for part in _LAYER if layer else ():
        os.rename(os.path.join(directory, part), os.path.join(former, part))
        os.mkdir(os.path.join(directory, part), 0o700 if part == "work" else 0o755)


def drop_previous(host: Host, name: str) -> None:
    fs.remove_tree(os.path.join(host.layout.container(name), PREVIOUS))


PREVIOUS = "previous"
_LAYER = ("upper", "work")

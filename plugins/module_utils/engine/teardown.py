# SPDX-License-Identifier: BSD-2-Clause
"""What is left of a container that does not run any more, taken away. Every step is idempotent and none stops the others.

Not here: ending it (lifecycle.py). Imports no launcher, so that whoever cleans up after a crash starts quickly.
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import endpoints, remains
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import finish
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fs, mountinfo, poll, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CleanupError, Conflict, Damaged, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory

_ROUND = 0.25  # seconds between two looks at a supervisor that is to end
_SUPERVISOR_ENDS = 10.0  # seconds from the end of PID 1 to the supervisor's


def clear(host: Host, name: str) -> None:
    """Processes, cgroups, volatile state, namespace, links and ports. Raises CleanupError when all was tried."""
    _finished("clean up container", name, [
        lambda: _end_supervisor(host, name),
        lambda: _remove_cgroup(host, name),
        lambda: _keep_ending(host, name),
        lambda: endpoints.release(host, name),
        lambda: fs.remove_tree(host.layout.container_run(name)),
    ])


def _finished(op: str, name: str, calls: t.Sequence[t.Callable[[], t.Any]]) -> None:
    failures = finish(calls)
    if failures:
        raise CleanupError(op, name, failures)


def running(host: Host, name: str) -> t.Optional[state.State]:
    """The volatile record; one that is damaged counts as none, for what it names is found by the cgroup."""
    try:
        return state.find(host.layout.container_run(name))
    except Damaged:
        return None


def _end_supervisor(host: Host, name: str) -> None:
    """It has work to do after PID 1 ended: the rest of the log, the exit record. One that hangs is killed."""
    found = running(host, name)
    if found is None or found.boot_id != process.boot_id() or not found.supervisor.alive():
        return
    announce(host, name)
    if not poll.until(lambda: _ended(host, name, found.supervisor), timeout=_SUPERVISOR_ENDS):
        process.signal(found.supervisor, process.SIGNALS["KILL"])
        process.wait_gone(found.supervisor, _SUPERVISOR_ENDS)


def _ended(host: Host, name: str, supervisor: process.Identity) -> bool:
    """Strikes, also at a run that it had begun before it could hear of the end; and waits a little."""
    found = running(host, name)
    if found is not None:
        process.signal(found.init, process.SIGNALS["KILL"])
        if cgroupfs.is_frozen(found.cgroups):
            factory.from_paths(found.cgroups).thaw()  # a paused process of cgroup v1 does not even die
        if found.restarting:
            process.signal(supervisor, process.SIGNALS["HUP"])  # it looks up from its wait
    return process.wait_gone(supervisor, _ROUND)


def announce(host: Host, name: str) -> None:
    """The supervisor then starts no further run, and leaves the network to us instead of calling for somebody to take it away."""
    with tolerate(errno.ENOENT):
        fs.write_atomic(os.path.join(host.layout.container_run(name), state.STOPPING), b"", durable=False)


def _remove_cgroup(host: Host, name: str) -> None:
    group = factory.open_cgroup(host.kernel_name(name))
    if not group.exists():
        return
    supervisor = remains.supervisor(host.kernel_name(name)) if running(host, name) is None else None
    if supervisor is not None:      # what it needs to hear that this is the end
        os.makedirs(host.layout.container_run(name), mode=0o700, exist_ok=True)
        announce(host, name)
    group.kill()
    if supervisor is not None and not process.wait_gone(supervisor, _SUPERVISOR_ENDS):
        process.signal(supervisor, process.SIGNALS["KILL"])
        process.wait_gone(supervisor, _SUPERVISOR_ENDS)
    group.remove()


def _keep_ending(host: Host, name: str) -> None:
    """A run whose supervisor died has no exit record: it gets one that says so, before the volatile state goes."""
    found = running(host, name)
    bundle = host.layout.container(name)
    if found is None or state.find_exit(bundle) is not None or not os.path.isdir(bundle):
        return
    state.write_exit(bundle, state.Ending(255, None, False, found.started_at, state.now(), "its supervisor died"))


def remove(host: Host, name: str) -> None:
    """Record, writable layer, logs and addresses. The directory goes out of sight at once, and then for good. Idempotent."""
    directory = host.layout.container(name)
    hidden = os.path.join(os.path.dirname(directory), ".removed-" + os.path.basename(directory))
    mounted = mountinfo.below(directory) if os.path.isdir(directory) else []
    if mounted:
        raise Conflict("remove container", name, "%s is mounted" % mounted[0].mount_point, hint="unmount it first")
    fs.remove_tree(hidden)
    with tolerate(errno.ENOENT):
        os.rename(directory, hidden)
        fs.fsync_dir(os.path.dirname(directory))
    _finished("remove container", name, [lambda: endpoints.forget(host, name), lambda: fs.remove_tree(hidden)])

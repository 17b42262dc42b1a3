# SPDX-License-Identifier: BSD-2-Clause
"""What changes a container that exists: start, kill, pause, resume, delete.

Not here: making one (create.py), looking at them (looking.py).
"""
from __future__ import annotations

import errno
import os
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll, process
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.oci import config, hooks, records
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import group

Warn = t.Callable[[str], None]
_ENDS = 10.0        # seconds for a killed process to be gone
_STARTED, _STRICT = "poststart", 3


def hooks_of(record: records.Record) -> t.Dict[str, t.Tuple[config.Hook, ...]]:
    return config.hooks(record.config)


def start(root: str, name: str, warn: Warn, *, stay: bool = True) -> None:
    """Returns when the program runs, or is ready, where a service manager waits for that. Raises CockerError with the reason why not.

    `stay`: nobody else is there to wait; otherwise a process of its own does, and this returns at once.
    """
    record = records.get(root, name)
    found = records.status(root, record)
    if found == records.STOPPED:
        raise CockerError("cannot start a container that has stopped")
    if found != records.CREATED:
        what = "an already running container" if found == records.RUNNING else "a container that is %s" % found
        raise CockerError("cannot start " + what)
    let_go(root, record, warn, stay=stay)


def let_go(root: str, record: records.Record, warn: Warn, *, stay: bool) -> None:
    """The same for one that is known to have been created. Raises CockerError."""
    name = record.id
    relay = _relay(records.folder(root, name))
    _release(records.folder(root, name))
    tell_started(root, record, warn)
    if relay is None:
        return
    if stay:
        relay.wait(record)
    elif os.fork() == 0:
        try:
            relay.wait(record)
        finally:
            os._exit(0)


def tell_started(root: str, record: records.Record, warn: Warn) -> None:
    """The hooks that want to know. By version 1.3 of the spec the container goes where one of them fails; before, that is said."""
    told, state = hooks_of(record), records.describe(record, records.RUNNING)
    if oci.minor(str(record.config.get("ociVersion"))) < _STRICT:
        hooks.warn(told, _STARTED, state, warn)
        return
    try:
        hooks.run(told, _STARTED, state)
    except CockerError:
        destroy(root, record, warn)
        raise


def _relay(folder: str) -> t.Optional[t.Any]:
    if not os.environ.get("NOTIFY_SOCKET"):
        return None
    from ansible_collections.cocker.engine.plugins.module_utils.oci import notify
    return notify.find(folder)


def _release(folder: str) -> None:
    """Of two at once, one has the pipe."""
    gate, taken = os.path.join(folder, records.GATE), os.path.join(folder, records.GATE + ".open")
    answer = os.open(os.path.join(folder, records.ANSWER), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        try:
            os.rename(gate, taken)
        except FileNotFoundError as error:
            raise CockerError("cannot start an already running container") from error
        fd = os.open(taken, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(fd, b"0")
        finally:
            os.close(fd)
        os.unlink(taken)
        said = _listen(answer)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise CockerError("cannot start a container that has stopped") from error
    finally:
        os.close(answer)
    if said:
        from ansible_collections.cocker.engine.plugins.module_utils.runtime import sync
        raise CockerError("unable to start container process", "", sync.parse(said[1:]).reason)


def _listen(fd: int) -> bytes:
    """What the process says before it closes the pipe, which exec does for it."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        poller.poll()
        try:
            return os.read(fd, select.PIPE_BUF)
        except BlockingIOError:
            continue


def kill(root: str, name: str, signum: int, *, everybody: bool) -> None:
    record = records.get(root, name)
    if everybody:
        _signal_all(record, signum)
    elif not record.lives() or not process.signal(record.init, signum):
        raise CockerError("container not running")


def _signal_all(record: records.Record, signum: int) -> None:
    cgroup = group.from_paths(record.cgroups)
    for pid in cgroup.procs():
        found = process.find(pid)
        if found is not None and pid in cgroup.procs():
            process.signal(found, signum)


def pause(root: str, name: str) -> None:
    record = records.get(root, name)
    if records.status(root, record) not in (records.RUNNING, records.CREATED):
        raise CockerError("container not running or created: %s" % records.status(root, record))
    group.from_paths(record.cgroups).freeze()


def resume(root: str, name: str) -> None:
    record = records.get(root, name)
    if records.status(root, record) != records.PAUSED:
        raise CockerError("container not paused")
    group.from_paths(record.cgroups).thaw()


def delete(root: str, name: str, warn: Warn, *, force: bool) -> None:
    """What was created and not started is killed; what runs only by `force`, which also forgives that there is none."""
    record = records.find(root, name)
    if record is None:
        if not force:
            raise CockerError("container does not exist")
        records.remove(root, name)      # of a creation that was killed
        return
    found = records.status(root, record)
    if found not in (records.STOPPED, records.CREATED) and not force:
        raise CockerError("cannot delete container %s that is not stopped: %s" % (name, found))
    destroy(root, record, warn)


def forget(root: str, record: records.Record, warn: Warn) -> None:
    """What is left of one whose process has ended, by who made and buried it; nothing where somebody else has deleted it."""
    if os.path.exists(os.path.join(records.folder(root, record.id), records.STATE)):
        destroy(root, record, warn)


def destroy(root: str, record: records.Record, warn: Warn) -> None:
    """The processes, the cgroup, the record; then the hooks."""
    cgroup = group.from_paths(record.cgroups)
    if record.lives():
        with tolerate(errno.ENOENT):
            cgroup.kill(timeout=_ENDS)
        process.wait_gone(record.init, _ENDS)
        if record.lives():
            raise CockerError("container init still running")
    if not cgroup.remove_empty():
        with tolerate(errno.ENOENT):
            cgroup.kill(timeout=_ENDS)      # what has left a shared pid namespace's first process behind
        cgroup.remove()
    records.remove(root, record.id)
    hooks.warn(hooks_of(record), "poststop", records.describe(record, records.STOPPED), warn)


def wait_stopped(record: records.Record, timeout: float) -> bool:
    return poll.until(lambda: not record.lives(), timeout=timeout)

# SPDX-License-Identifier: BSD-2-Clause
"""NOTIFY_SOCKET: a service manager's socket, that a container's process cannot reach itself, by a socket of ours in the container.

`create` mounts the directory of ours, `start` listens there and passes on that the process is ready (sd_notify(3)).
"""
from __future__ import annotations

import _socket
import contextlib
import os
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import records

VARIABLE = "NOTIFY_SOCKET"
_FOLDER, _NAME, _INSIDE = "notify", "notify.sock", "/run/notify"
_PIECE = 1 << 16
_LOOK = 200             # milliseconds between two looks whether the container has ended
_ACKNOWLEDGED = 30000   # milliseconds for the manager to have read all
_READY = b"READY="


def folder_of(folder: str) -> str:
    return os.path.join(folder, _FOLDER)


def added(text: t.Dict[str, t.Any], folder: str) -> t.Dict[str, t.Any]:
    """The config.json of a container whose directory this is, with the mount and the variable."""
    process = dict(text["process"])
    process["env"] = [*(process.get("env") or []), "%s=%s/%s" % (VARIABLE, _INSIDE, _NAME)]
    mount = {"destination": _INSIDE, "type": "bind", "source": folder_of(folder), "options": ["bind", "nosuid", "noexec", "nodev", "ro"]}
    return dict(text, process=process, mounts=[*(text.get("mounts") or []), mount])


class Relay:
    """Listens before the process is let go. `manager` is the caller's NOTIFY_SOCKET; a name with @ is an abstract one."""

    def __init__(self, folder: str, manager: str) -> None:
        self._path, self._manager = os.path.join(folder_of(folder), _NAME), manager.replace("@", "\0", 1) if manager[:1] == "@" else manager
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, 0)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._socket.bind(self._path)
        os.chmod(self._path, 0o777)

    def wait(self, record: records.Record) -> None:
        """Until the process has said that it is ready, or has ended."""
        poller = select.poll()
        poller.register(self._socket.fileno(), select.POLLIN)
        try:
            while record.lives():
                if poller.poll(_LOOK) and any(line.startswith(_READY) for line in self._socket.recv(_PIECE).split(b"\n")):
                    self._pass_on(record.init.pid)
                    return
        finally:
            self._socket.close()

    def _pass_on(self, pid: int) -> None:
        """Returns when the manager has read it: it asks the kernel who we are while we still are."""
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, 0)
        reader, writer = os.pipe()
        try:
            channel.connect(self._manager)
            channel.send(b"MAINPID=%d\nREADY=1\n" % pid)
            fds.send_fds(channel, b"BARRIER=1", [writer])
        except OSError as error:
            raise CockerError("notify", self._manager, error.strerror or str(error)) from error
        finally:
            channel.close()
            os.close(writer)
        poller = select.poll()
        poller.register(reader, 0)
        poller.poll(_ACKNOWLEDGED)      # POLLHUP: it has closed the other end
        os.close(reader)


def find(folder: str) -> t.Optional[Relay]:
    """None where nobody waits for the container, or it was not made for it."""
    manager = os.environ.get(VARIABLE, "")
    return Relay(folder, manager) if manager and os.path.isdir(folder_of(folder)) else None

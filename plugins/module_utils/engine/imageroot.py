# SPDX-License-Identifier: BSD-2-Clause
"""An image as a container that nobody else sees, for as long as one command looks into it: its root is read-only, /tmp is empty memory.

Containers are made of the same layers, so nothing is ever written there; who wants to change an image changes a container of it. Not here:
the command (maintenance.py).
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CREATED, ContainerRecord, ContainerSpec, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import TMPFS, Mount
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, layers, snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_NAME = "image"         # of the container, in a directory of its own
_SCRATCH = Mount(TMPFS, "", "/tmp", mode=0o1777)


@contextlib.contextmanager
def opened(host: Host, reference: str) -> t.Iterator[t.Tuple[Host, ContainerState]]:
    """Without a version the largest. Its layers stay meanwhile, whoever removes it. Raises Invalid, NotFound, Conflict."""
    image = images.resolve(host.layout, names.parse_image(reference, "image"))
    ref = str(names.ImageRef(image.name, image.version))
    pins, config = stacks.pinned(host, [ref])
    with contextlib.ExitStack() as stack:
        for layer in image.layers:
            _hold(stack, host.layout.layer(layer))
        layout = Layout(host.layout.home, run_root=host.layout.run_root)
        layout.containers = stack.enter_context(layers.aside(host.layout.containers))
        snapshots.create(layout.container(_NAME), top=layout.diff(image.layers[-1]) if image.layers else "")
        spec = ContainerSpec(_NAME, images=(ref,), read_only=True, mounts=(_SCRATCH,))
        record = ContainerRecord("", now(), spec, pins, config)
        yield Host(layout, kept=host.kept), ContainerState(_NAME, CREATED, record)


def _hold(stack: contextlib.ExitStack, path: str) -> None:
    """A collection of garbage leaves alone what somebody has locked (storage/gc.py)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound("layer", path, "it has just been removed") from error
    stack.callback(os.close, fd)
    if not fs.flock_now(fd, fcntl.LOCK_SH) or not fs.is_at(fd, path):
        raise Conflict("use", path, "somebody is making or removing it", hint="run the task again")

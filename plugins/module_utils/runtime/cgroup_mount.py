# SPDX-License-Identifier: BSD-2-Clause
"""What a container sees as /sys/fs/cgroup: its own cgroup as the root, on v1, hybrid and v2. Not here: the cgroup itself."""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.runtime.mount_options import Options

_TMPFS_FLAGS = consts.MS_NOSUID | consts.MS_NODEV | consts.MS_NOEXEC
_DIRECTORY = os.O_PATH | os.O_DIRECTORY


class View(t.NamedTuple):
    """`private`: the container has a cgroup namespace; without one, its own directories (`paths`) are bound."""

    layout: cgroupfs.Layout
    paths: t.Mapping[str, str]
    private: bool


def mount(target: int, reopen: t.Callable[[], int], *, options: Options, view: View) -> None:
    """`reopen` gives the root of what is mounted on the target by then."""
    if view.layout.mode == "v2":
        _hierarchy(target, "cgroup2", "", view.paths.get("unified", ""), options=options, private=view.private)
        return
    mounts.mount("tmpfs", target, fstype="tmpfs", flags=_TMPFS_FLAGS, data="mode=755,size=64k")
    top = reopen()
    try:
        for point, controllers in _by_point(view.layout).items():
            name = os.path.basename(point)
            _below(top, name, "cgroup", ",".join(_data(controllers)), view.paths.get(controllers[0], ""), options=options, view=view)
            for alias in controllers if len(controllers) > 1 else ():
                rootpath.symlink(top, alias, target=name)
        if view.layout.unified:
            _below(top, "unified", "cgroup2", "", view.paths.get("unified", ""), options=options, view=view)
        if options.flags & consts.MS_RDONLY:
            mounts.set_attributes(top, set_=consts.MOUNT_ATTR_RDONLY)
    finally:
        os.close(top)


def _by_point(layout: cgroupfs.Layout) -> t.Dict[str, t.List[str]]:
    found: t.Dict[str, t.List[str]] = {}
    for controller, point in layout.controllers.items():
        if point != layout.unified:
            found.setdefault(point, []).append(controller)
    return found


def _data(controllers: t.Sequence[str]) -> t.List[str]:
    """A hierarchy without controllers is found by its name alone."""
    return ["none"] + list(controllers) if all(name.startswith("name=") for name in controllers) else list(controllers)


def _below(top: int, name: str, fstype: str, data: str, path: str, *, options: Options, view: View) -> None:
    rootpath.ensure_dir(top, name)
    target = rootpath.open_in(top, name, _DIRECTORY)
    try:
        _hierarchy(target, fstype, data, path, options=options, private=view.private)
    finally:
        os.close(target)


def _hierarchy(target: int, fstype: str, data: str, path: str, *, options: Options, private: bool) -> None:
    if private:         # the namespace shows the container's own cgroup as the root of whatever is mounted in it
        mounts.mount("cgroup", target, fstype=fstype, flags=options.flags, data=data)
        return
    tree = mounts.open_tree(path, clone=True)
    mounts.set_attributes(tree, set_=options.set_)
    mounts.move_mount(tree, target)
    os.close(tree)

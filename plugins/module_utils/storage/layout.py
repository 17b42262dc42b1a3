# SPDX-License-Identifier: BSD-2-Clause
"""Every path below $COCKER_HOME and its run directory, in one place.

Not here: what the files hold (records.py and the file of each noun).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, tolerate

DEFAULT_HOME = "/var/cocker"
RUN = "/run/cocker"
NETNS = "/run/netns"

_PRIVATE = 0o700


class Layout:
    """`home` survives a reboot, `run` must not. Links in `home` are resolved, so that one store has one set of locks."""

    def __init__(self, home: str = DEFAULT_HOME, *, run_root: str = RUN) -> None:
        if not os.path.isabs(home):
            raise Invalid("cocker_home", "%r is no absolute path" % home)
        self.home = os.path.realpath(home)
        self.run_root = run_root
        self.run = run_root if self.home == DEFAULT_HOME else os.path.join(run_root, "homes", names.short_hash(self.home))
        self.images = os.path.join(self.home, "images")
        self.layers = os.path.join(self.home, "layers")
        self.containers = os.path.join(self.home, "containers")
        self.volumes = os.path.join(self.home, "volumes")
        self.networks = os.path.join(self.home, "networks")
        self.lease_files = os.path.join(self.home, "leases")
        self.intents = os.path.join(self.home, "intents")
        self.engine = os.path.join(self.home, "engine")
        self.credentials = os.path.join(self.home, "auth.json")
        self.repository = os.path.join(self.home, "repository.json")
        self.exports = os.path.join(self.home, "exports")
        self.log = os.path.join(self.home, "cocker.log")
        self.locks = os.path.join(self.run, "locks")
        self.containers_run = os.path.join(self.run, "containers")
        self.told = os.path.join(self.run, "names")

    def image_directory(self, name: str) -> str:
        return os.path.join(self.images, names.encode(name))

    def image(self, name: str, version: t.Optional[str]) -> str:
        """The record."""
        return os.path.join(self.image_directory(name), names.encode(version or versions.NONE), "image.json")

    def layer(self, layer_id: str) -> str:
        return os.path.join(self.layers, names.encode(layer_id))

    def diff(self, layer_id: str) -> str:
        return os.path.join(self.layer(layer_id), "diff")

    def layer_record(self, layer_id: str) -> str:
        return os.path.join(self.layer(layer_id), "layer.json")

    def container(self, name: str) -> str:
        return os.path.join(self.containers, names.encode(name))

    def hosts(self, container: str) -> str:
        """What is mounted as its /etc/hosts. Asked for by the hundred."""
        return "%s/%s/hosts" % (self.containers, names.encode(container))

    def spec(self, container: str) -> str:
        return os.path.join(self.container(container), "spec.json")

    def container_run(self, name: str) -> str:
        return os.path.join(self.containers_run, names.encode(name))

    def volume(self, name: str) -> str:
        return os.path.join(self.volumes, names.encode(name))

    def volume_data(self, name: str) -> str:
        return os.path.join(self.volume(name), "_data")

    def volume_record(self, name: str) -> str:
        return os.path.join(self.volume(name), "volume.json")

    def network(self, name: str) -> str:
        """The record."""
        return os.path.join(self.networks, names.encode(name) + ".json")

    def leases(self, network: str) -> str:
        return os.path.join(self.lease_files, names.encode(network) + ".json")

    def intent(self, kind: str, name: str) -> str:
        return os.path.join(self.intents, "%s-%s.json" % (kind, names.encode(name)))

    def lock(self, kind: str, name: str) -> str:
        return os.path.join(self.locks, kind, names.encode(name))

    @staticmethod
    def netns(container: str) -> str:
        return os.path.join(NETNS, names.netns_name(container))

    def image_names(self) -> t.List[str]:
        return listed(self.images)

    def image_versions(self, name: str) -> t.List[str]:
        """Smallest first; only those that have a record."""
        found = [version for version in listed(self.image_directory(name)) if os.path.lexists(self.image(name, version))]
        return sorted(found, key=versions.key)

    def layer_ids(self) -> t.List[str]:
        return listed(self.layers)

    def container_names(self) -> t.List[str]:
        return listed(self.containers)

    def volume_names(self) -> t.List[str]:
        return listed(self.volumes)

    def network_names(self) -> t.List[str]:
        return listed(self.networks, suffix=".json")

    def ensure(self) -> None:
        """Makes the store and its run directory, closed to everybody else. Idempotent; called before a change, never by a query."""
        os.makedirs(os.path.dirname(self.home), exist_ok=True)
        for path in (self.home, self.images, self.layers, self.containers, self.volumes, self.networks, self.lease_files,
                     self.intents, self.engine):
            _ensure_private(path, durable=True)
        os.makedirs(os.path.dirname(self.run_root), exist_ok=True)
        inner = (os.path.dirname(self.run),) if self.run != self.run_root else ()
        for path in (self.run_root, *inner, self.run, self.locks, self.containers_run):
            _ensure_private(path, durable=False)


def listed(directory: str, *, suffix: str = "") -> t.List[str]:
    """The names that are recorded in a directory, sorted; what begins with a dot is being made or removed."""
    try:
        file_names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [names.decode(file_name[: len(file_name) - len(suffix)]) for file_name in file_names
             if file_name.endswith(suffix) and not file_name.startswith(".")]
    return sorted(name for name in found if name is not None)


def _ensure_private(path: str, *, durable: bool) -> None:
    """0700: the store holds set-id files of images, and the state names processes that root will signal."""
    made = False
    with tolerate(errno.EEXIST):
        os.mkdir(path, _PRIVATE)
        made = True
    facts = os.stat(path)
    if os.path.islink(path) or facts.st_uid != os.geteuid():
        raise Conflict("use", path, "it is not a directory of user %d" % os.geteuid())
    if facts.st_mode & 0o7777 != _PRIVATE:
        os.chmod(path, _PRIVATE)
    if made and durable:
        fs.fsync_dir(os.path.dirname(path))

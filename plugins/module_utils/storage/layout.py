# SPDX-License-Identifier: BSD-2-Clause
"""Every path of the engine's state, in one place.

Not here: what the files hold (records.py and the file of each noun).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

DEFAULT_HOME = "/var/cocker"
RUN = "/run/cocker"

_DIRECTORIES = ("images", "layers", "containers", "volumes", "networks", "leases", "intents", "engine")


class Layout:
    """`home` survives a reboot, `run` must not. Each home has a run directory of its own."""

    def __init__(self, home: str = DEFAULT_HOME) -> None:
        self.home = home
        self.run = RUN if home == DEFAULT_HOME else os.path.join(RUN, "homes", names.short_hash(home))

    def ensure(self) -> None:
        """The directories are there, for root only. Idempotent, and cheap when they are."""
        if not os.path.isdir(os.path.join(self.home, _DIRECTORIES[-1])):
            for name in _DIRECTORIES:
                os.makedirs(os.path.join(self.home, name), mode=0o700, exist_ok=True)
            os.chmod(self.home, 0o700)
        if not os.path.isdir(self.locks):
            os.makedirs(self.locks, mode=0o700, exist_ok=True)
            os.chmod(RUN, 0o700)

    @property
    def images(self) -> str:
        return os.path.join(self.home, "images")

    def image(self, name: str, version: str) -> str:
        return os.path.join(self.images, names.encode(name), names.encode(version), "image.json")

    @property
    def layers(self) -> str:
        return os.path.join(self.home, "layers")

    def layer(self, layer_id: str) -> str:
        return os.path.join(self.layers, layer_id)

    def diff(self, layer_id: str) -> str:
        return os.path.join(self.layers, layer_id, "diff")

    def container(self, name: str) -> str:
        return os.path.join(self.home, "containers", names.encode(name))

    def spec(self, container: str) -> str:
        return os.path.join(self.container(container), "spec.json")

    def container_run(self, name: str) -> str:
        return os.path.join(self.run, "containers", names.encode(name))

    def volume(self, name: str) -> str:
        return os.path.join(self.home, "volumes", names.encode(name))

    def volume_data(self, name: str) -> str:
        return os.path.join(self.volume(name), "_data")

    def volume_record(self, name: str) -> str:
        return os.path.join(self.volume(name), "volume.json")

    def network(self, name: str) -> str:
        return os.path.join(self.home, "networks", names.encode(name) + ".json")

    def leases(self, network: str) -> str:
        return os.path.join(self.home, "leases", names.encode(network) + ".json")

    @property
    def intents(self) -> str:
        return os.path.join(self.home, "intents")

    @property
    def engine(self) -> str:
        return os.path.join(self.home, "engine")

    @property
    def locks(self) -> str:
        return os.path.join(self.run, "locks")

    def image_names(self) -> t.List[str]:
        return _listed(self.images)

    def image_versions(self, name: str) -> t.List[str]:
        """Smallest first."""
        return sorted(_listed(os.path.join(self.images, names.encode(name))), key=versions.key)

    def container_names(self) -> t.List[str]:
        return _listed(os.path.join(self.home, "containers"))

    def volume_names(self) -> t.List[str]:
        return _listed(os.path.join(self.home, "volumes"))

    def network_names(self) -> t.List[str]:
        return [name[:-len(".json")] for name in _listed(os.path.join(self.home, "networks")) if name.endswith(".json")]


def _listed(directory: str) -> t.List[str]:
    """Names below a directory; what begins with a dot is being made or removed."""
    with tolerate(errno.ENOENT, errno.ENOTDIR):
        return sorted(name for name in map(names.decode, os.listdir(directory)) if name is not None)
    return []

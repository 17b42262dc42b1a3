# SPDX-License-Identifier: BSD-2-Clause
"""The host that a task acts on: where its state lies, and whether anything may be changed.

Imports neither network/ nor runtime/: a task that finds nothing to do never pays for them.
"""
from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.storage import locks
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import DEFAULT_HOME, NETNS, Layout

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.launcher import Launcher

LOCK_TIMEOUT = 300.0  # seconds that a task waits for another one that works on the same object


class Kept:
    """What a task makes or finds out once, and keeps until it ends.

    `foreseen`: in check mode, images that would be fetched, by name and version. `shows_owners`: whether the store's file system can be
    mounted so that other users have its files. `unsynced`: directories whose new names are to be on the disk before a start is done.
    """

    def __init__(self) -> None:
        self.launcher: t.Optional[Launcher] = None
        self.has_store = False
        self.foreseen: t.Dict[t.Tuple[str, str], ImageRecord] = {}
        self.shows_owners: t.Optional[bool] = None
        self.unsynced: t.Set[str] = set()


@dataclasses.dataclass(frozen=True)
class Host:
    layout: Layout
    dry_run: bool = False
    kept: Kept = dataclasses.field(default_factory=Kept, compare=False)

    def kernel_name(self, container: str) -> str:
        """The cgroup's name, from which those of namespace and links follow: containers of two stores never meet in the kernel."""
        return _kernel_name(self.layout.home, container)

    def netns_name(self, container: str) -> str:
        return _netns_name(self.layout.home, container)

    def netns(self, container: str) -> str:
        return os.path.join(NETNS, self.netns_name(container))

    def ensure_store(self) -> None:
        """Its directories. Whoever takes a lock need not ask."""
        if not self.kept.has_store:
            self.layout.ensure()
            self.kept.has_store = True

    @contextlib.contextmanager
    def locked(self, kind: str, name: str, *, shared: bool = False) -> t.Iterator[None]:
        """Nobody else changes the object meanwhile. A dry run changes nothing and so takes no lock."""
        if self.dry_run:
            yield
        else:
            self.ensure_store()
            with locks.held(self.layout, kind, name, shared=shared, timeout=LOCK_TIMEOUT):
                yield


def _kernel_name(home: str, container: str) -> str:
    encoded = names.encode(container)
    return encoded if home == DEFAULT_HOME else "%s@%s" % (encoded, names.short_hash(home))


@functools.lru_cache(maxsize=4096)
def _netns_name(home: str, container: str) -> str:
    return names.netns_name(_kernel_name(home, container))


def now() -> str:
    """RFC 3339, in UTC, to the microsecond."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

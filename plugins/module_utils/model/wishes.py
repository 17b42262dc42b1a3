# SPDX-License-Identifier: BSD-2-Clause
"""What one task asks for, a value for each module: made by edge/, carried out by engine/.

Not here: the objects themselves (container.py, image.py, network.py, volume.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:  # a task on a volume loads nothing of containers
    from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
    from ansible_collections.cocker.engine.plugins.module_utils.model.filetree import Entry
    from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
    from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import ImagePull, Pull
    from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Fetch
    from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec

ABSENT, PRESENT, STARTED, PAUSED, STOPPED, HEALTHY = "absent", "present", "started", "paused", "stopped", "healthy"


@dataclasses.dataclass(frozen=True)
class ContainerWish:
    """`on_change` forbids what a change may cost: `apply` anything, `live_only` no restart, `fail` no change at all.

    `kill_signal` is sent in place of the stop signal, whoever stops the container and why; `stop_within` takes the place of its
    stop timeout, in seconds. `warnings` are for whoever wrote the task. `repin`: images without a version are resolved again.
    `healthy_within`: how many seconds it may take to become healthy, where that is the state.
    `detach` false: whoever starts it stays until it has ended, and with `cleanup` removes it then.
    `comparisons`: a field of the specification, or `*`, -> how it is compared (model/changes.py). `image_name_mismatch`: what is done about
    another name of the same content, None notes it, `ignore` nothing, `recreate` drops what was written. `image_labels`: `fail` where the
    image has labels that the task does not say. `pull` None: no registry is asked. `new`: one that is there already is a Conflict.
    """

    spec: ContainerSpec
    state: str = STARTED
    volumes_from: t.Tuple[t.Tuple[str, bool], ...] = ()
    keep_volumes: bool = True
    restart: bool = False
    recreate: bool = False
    repin: bool = False
    from_image: t.Optional[str] = None
    from_container: t.Optional[str] = None
    on_change: str = "apply"
    kill_signal: t.Optional[int] = None
    warnings: t.Tuple[str, ...] = ()
    stop_within: t.Optional[int] = None
    healthy_within: float = 300.0
    detach: bool = True
    cleanup: bool = False
    output_logs: bool = False
    comparisons: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    image_name_mismatch: t.Optional[str] = None
    image_labels: str = "ignore"
    pull: t.Optional[ImagePull] = None
    new: bool = False


@dataclasses.dataclass(frozen=True)
class Member:
    """One of several containers; `needs` are those that have to run before it is started, `needs_healthy` those of them that
    have to be healthy, too.
    """

    wish: ContainerWish
    needs: t.Tuple[str, ...] = ()
    needs_healthy: t.Tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ContainersWish:
    """`members` in the order of the task; `order` has their names, what is needed first."""

    members: t.Tuple[Member, ...]
    order: t.Tuple[str, ...]
    warnings: t.Tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ImageWish:
    """`source` None with state present only asks that the image is there. `version` None is "no version" (`_` on disk).

    `path` is on the host. `digest` is the sha256 (hex) of an archive that is still on the controller: with it and no path
    the outcome says whether the archive is needed at all. `new_version` is what the version becomes, `_` for none.
    `says_version` with `version` None: none is wanted, in so many words.
    `config` are the fields of ImageConfig, and `author`, that are wanted otherwise than the source has them.
    `archive_image` is the one that is meant of several in an archive, `platform` as OS/ARCHITECTURE[/VARIANT], `unpacked_limit` the bytes
    that the archive may unpack to.
    """

    name: str
    version: t.Optional[str] = None
    state: str = PRESENT
    source: t.Optional[str] = None
    path: t.Optional[str] = None
    digest: t.Optional[str] = None
    programs: t.Optional[t.Tuple[str, ...]] = None
    force: bool = False
    from_image: t.Optional[str] = None
    from_container: t.Optional[str] = None
    mode: str = "commit"
    layers: str = "chain"
    says_version: bool = False
    new_version: t.Optional[str] = None
    config: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    format: str = "auto"
    archive_image: t.Optional[str] = None
    platform: t.Optional[str] = None
    unpacked_limit: t.Optional[int] = None
    pull: t.Optional[Pull] = None
    fetch: t.Optional[Fetch] = None

    @property
    def selection(self) -> str:
        """What of a source is taken; empty where nothing is said."""
        said = (self.format if self.format != "auto" else "", self.archive_image or "", self.platform or "")
        return " ".join(said).rstrip()


@dataclasses.dataclass(frozen=True)
class NetworkWish:
    """`force`: what cannot change while containers are on it changes nevertheless, and they are connected anew."""

    spec: NetworkSpec
    state: str = PRESENT
    force: bool = False


@dataclasses.dataclass(frozen=True)
class VolumeWish:
    spec: VolumeSpec
    state: str = PRESENT


@dataclasses.dataclass(frozen=True)
class CommandWish:
    """The command `cocker` at `path`, packed for `interpreter`; `archive` is that, where it had to come along. `link`: its other name."""

    path: str
    link: str
    interpreter: str
    digest: str
    archive: t.Optional[bytes] = None


@dataclasses.dataclass(frozen=True)
class ReadyWish:
    """`stops`: nothing is done where libraries or `commands` are missing, or, `with_pyroute2`, where the interpreter lacks that."""

    modules: t.Tuple[str, ...] = ()
    commands: t.Tuple[str, ...] = ()
    forwards: bool = False
    command: t.Optional[CommandWish] = None
    service: bool = False
    stops: bool = False
    with_pyroute2: bool = True


BACKUP, RESTORE = "backup", "restore"


@dataclasses.dataclass(frozen=True)
class VolumeArchiveWish:
    """`path` is on the host. `compression` (plain, gzip, zstd) is that of a file that is written. `force` is for a volume that holds other
    data than the archive: None refuses, True replaces it, False leaves it.
    """

    name: str
    path: str
    operation: str = BACKUP
    compression: str = "plain"
    force: t.Optional[bool] = None


@dataclasses.dataclass(frozen=True)
class ExecWish:
    """`env` comes on top of the container's. `timeout` in seconds, None waits for ever. `creates` and `removes` are paths in the container:
    nothing is run where the one is there, or the other is not. `chdir_option` is what said `chdir`, for messages.
    """

    container: str
    argv: t.Tuple[str, ...]
    env: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    user: t.Optional[str] = None
    chdir: t.Optional[str] = None
    chdir_option: str = "chdir"
    stdin: bytes = b""
    timeout: t.Optional[float] = None
    tty: bool = False
    detach: bool = False
    creates: t.Optional[str] = None
    removes: t.Optional[str] = None


@dataclasses.dataclass(frozen=True)
class ContainerQuery:
    """`name` None is all. `since` is RFC 3339 in UTC, to the nanosecond. `exec_id` is the beginning of an id."""

    name: t.Optional[str] = None
    gather: t.Tuple[str, ...] = ()
    tail: t.Optional[int] = None
    since: t.Optional[str] = None
    exec_id: t.Optional[str] = None


TO_CONTAINER, FROM_CONTAINER = "to_container", "from_container"


@dataclasses.dataclass(frozen=True)
class Sent:
    """What lies on the controller. `pack` is a file on the host with the contents whose digests `contents` lists, in this order;
    without it the outcome says which contents are needed. `inline` is the content of one small file.
    """

    entries: t.Tuple[Entry, ...]
    inline: t.Optional[bytes] = None
    contents: t.Tuple[str, ...] = ()
    pack: t.Optional[str] = None


@dataclasses.dataclass(frozen=True)
class CopyWish:
    """One of `path` (on the host), `content` and `sent` is the other end. `into` says that `container_path` or `path`, whichever is
    written, ended with a slash. `owner` and `group` are names or numbers; `archive` gives files to the container's own user.
    `force` None compares, True always copies, False never touches what is there.
    """

    container: str
    container_path: str
    direction: str = TO_CONTAINER
    path: t.Optional[str] = None
    content: t.Optional[bytes] = None
    sent: t.Optional[Sent] = None
    name: str = ""
    into: bool = False
    follow: bool = False
    local_follow: bool = True
    force: t.Optional[bool] = None
    overwrite: bool = False
    archive: bool = True
    mode: t.Optional[int] = None
    directory_mode: t.Optional[int] = None
    owner: t.Optional[str] = None
    group: t.Optional[str] = None


@dataclasses.dataclass(frozen=True)
class TemplateWish:
    """`instance` None writes over the template. `mapping` None is read from `mapping_file` on the host."""

    container: str
    template: str
    instance: t.Optional[str] = None
    mapping: t.Optional[t.Mapping[bytes, bytes]] = None
    mapping_file: t.Optional[str] = None
    strict: bool = False
    mode: t.Optional[int] = None
    owner: t.Optional[str] = None
    group: t.Optional[str] = None

# SPDX-License-Identifier: BSD-2-Clause
"""Files and trees between the host and a container, whether it runs or not. Nothing is run in the container.

Not here: what is a difference (model/filetree.py), how files are written (storage/placing.py), where the root is (rootview.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, processes, rootview
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, apply, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.kernel import rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model import filetree, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.filetree import Change, Entry
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import FROM_CONTAINER, CopyWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import users
from ansible_collections.cocker.engine.plugins.module_utils.storage import placing
from ansible_collections.cocker.engine.plugins.module_utils.storage.placing import Place, Source

COPY = "copy"
LONGEST_TEXT = 104448       # bytes of a file that a diff shows, as Ansible's own modules have it
MOST_SHOWN = 200            # entries of a tree
_PARENTS = 0o755
# What the engine mounts over the image's file at each start -> the options that say what is in it.
_PROVIDED = {"/etc/hosts": "etc_hosts", "/etc/resolv.conf": "dns_servers, dns_search_domains and dns_opts", "/etc/hostname": "hostname"}


@dataclasses.dataclass(frozen=True)
class Looked:
    """`path` is where it goes. `needed` are the digests of contents that the host has not been sent."""

    path: str
    changes: t.Tuple[Change, ...] = ()
    left_out: t.Tuple[str, ...] = ()
    needed: t.Tuple[str, ...] = ()
    text: t.Optional[t.Tuple[str, str]] = None


@dataclasses.dataclass(frozen=True)
class _Origin:
    """What is to be copied, read completely but for the contents."""

    entries: t.Tuple[Entry, ...]
    left_out: t.Tuple[str, ...]
    source: Source


def ensure(host: Host, wish: CopyWish) -> Outcome:
    """Raises NotFound, Conflict, Invalid before the first effect. With `needed` in the result nothing has been done."""
    with host.locked("container", wish.container):
        return copied(host, observe.container(host, wish.container), wish)


def copied(host: Host, found: ContainerState, wish: CopyWish) -> Outcome:
    """Under the container's lock."""
    with rootview.opened(host, found) as root:
        looked = _look(found, root, wish)
    plan = _plan(wish, looked)
    inside = wish.container_path if wish.direction == FROM_CONTAINER else looked.path
    result = {"container_path": inside, "left_out": list(looked.left_out)}
    if looked.needed:
        return outcome(plan, {**result, "needed": list(looked.needed)})
    execute(plan, lambda _action: Step(lambda: _carry_out(host, found, wish, looked)), dry_run=host.dry_run)
    return outcome(plan, {**result, **({"text": looked.text} if looked.text else {})})


def _look(found: ContainerState, root: rootview.Root, wish: CopyWish) -> Looked:
    with _origin(root, wish) as origin:
        top = origin.entries[0]
        path = _destination(root, wish, top)
        rules = _rules(found, root, wish)
        want = [filetree.ruled(entry, rules) for entry in origin.entries]
        with _target(root, wish, path, make=None) as place:
            changes = _changes(place, want, origin.source, wish, _provided(found, wish, path))
            sent = wish.sent
            needed = _needed(changes) if sent is not None and sent.pack is None and sent.inline is None else ()
            text = None
            if len(changes) == 1 and not needed and changes[0].want.kind == filetree.FILE and changes[0].writes:
                text = _text(place, changes[0], origin.source)
            return Looked(path, tuple(changes), origin.left_out, needed, text)


def _needed(changes: t.Sequence[Change]) -> t.Tuple[str, ...]:
    return tuple(sorted({change.want.digest for change in changes if change.writes and change.want.kind == filetree.FILE}))


@contextlib.contextmanager
def _origin(root: rootview.Root, wish: CopyWish) -> t.Iterator[_Origin]:
    if wish.content is not None:
        entry = Entry("", filetree.FILE, size=len(wish.content))
        yield _Origin((entry,), (), placing.Content(wish.content))
    elif wish.sent is not None and wish.sent.inline is not None:
        yield _Origin(wish.sent.entries, (), placing.Content(wish.sent.inline))
    elif wish.sent is not None:
        sizes = {entry.digest: entry.size for entry in wish.sent.entries}
        offsets, start = {}, 0
        for digest in wish.sent.contents:
            offsets[digest] = (start, sizes.get(digest, 0))
            start += sizes.get(digest, 0)
        yield _Origin(wish.sent.entries, (), placing.Pack(wish.sent.pack or "", offsets))
    else:
        with _held(root, wish) as place:
            entries, others = placing.scan(place)
            if not entries:
                where = wish.container_path if wish.direction == FROM_CONTAINER else wish.path or ""
                if os.path.normpath(where) in _PROVIDED and others and wish.direction == FROM_CONTAINER:
                    raise NotFound("copy", where, "the engine makes this file when the container starts", hint="start it first")
                raise NotFound("copy", where, "it is neither a file nor a directory" if others else "it does not exist")
            yield _Origin(tuple(entries), tuple(others), placing.Files(place))


@contextlib.contextmanager
def _held(root: rootview.Root, wish: CopyWish) -> t.Iterator[Place]:
    """Where the files come from."""
    from_container = wish.direction == FROM_CONTAINER
    path = wish.container_path if from_container else wish.path or ""
    with anchored(root if from_container else None, path, follow=wish.follow if from_container else wish.local_follow) as place:
        yield place


@contextlib.contextmanager
def anchored(root: t.Optional[rootview.Root], path: str, *, follow: bool, make: t.Optional[int] = None) -> t.Iterator[Place]:
    """Below the container's root, or the host's; NotFound where a directory on the way is missing."""
    own = rootpath.open_root("/") if root is None else -1
    try:
        try:
            with rootpath.parent_of(own if root is None else root.fd, path, follow=follow, make=make) as (folder, name):
                yield Place(folder, name, None if root is None else root.maps)
        except FileNotFoundError as error:
            raise NotFound("copy", path, "it does not exist") from error
        except (NotADirectoryError, FileExistsError) as error:
            raise Conflict("copy", path, "something on the way is no directory") from error
    finally:
        if own >= 0:
            os.close(own)


def _destination(root: rootview.Root, wish: CopyWish, top: Entry) -> str:
    """A file goes into a directory that is there already, under its own name; a directory is the destination itself."""
    path = (wish.path or "") if wish.direction == FROM_CONTAINER else wish.container_path
    if top.kind == filetree.DIRECTORY or not (wish.into or _is_directory(root, wish, path)):
        return path
    if not wish.name:
        raise Conflict("copy to", path, "it is a directory", hint="name the file in it")
    return path.rstrip("/") + "/" + wish.name


def _is_directory(root: rootview.Root, wish: CopyWish, path: str) -> bool:
    if path == "/":
        return True
    into_container = wish.direction != FROM_CONTAINER
    try:
        with anchored(root if into_container else None, path, follow=into_container) as place:
            found = placing.look(place)
            return found is not None and found.kind == filetree.DIRECTORY
    except NotFound:
        return False


@contextlib.contextmanager
def _target(root: rootview.Root, wish: CopyWish, path: str, *, make: t.Optional[int]) -> t.Iterator[t.Optional[Place]]:
    """None where the directory that it would be in does not exist yet. On the host no link is ever followed at the end: a container may
    have provided it.
    """
    into_container = wish.direction != FROM_CONTAINER
    with contextlib.ExitStack() as stack:
        place = None
        try:
            place = stack.enter_context(
                anchored(root if into_container else None, path, follow=into_container and wish.follow, make=make))
        except NotFound:
            if make is not None:
                raise
        _refuse_closed(root if into_container else None, path, place)
        yield place


def _refuse_closed(root: t.Optional[rootview.Root], path: str, place: t.Optional[Place]) -> None:
    """Of what is still missing, the nearest directory that is there decides."""
    if place is not None:
        placing.refuse_closed(place.dir_fd, path)
        return
    above = path.rstrip("/").rpartition("/")[0]
    while above:
        with contextlib.suppress(NotFound), anchored(root, above + "/.", follow=True) as found:
            placing.refuse_closed(found.dir_fd, path)
            return
        above = above.rpartition("/")[0]


def _rules(found: ContainerState, root: rootview.Root, wish: CopyWish) -> filetree.Rules:
    said = filetree.Rules(wish.mode, wish.directory_mode, keep_owner=not wish.archive)
    if wish.direction == FROM_CONTAINER:
        usual = "0" if wish.archive else None
        uid, gid = _number(wish.owner or usual, "owner_id"), _number(wish.group or usual, "group_id")
        return dataclasses.replace(said, uid=uid, gid=gid, keep_set_ids=False)
    if not wish.archive and wish.owner is None and wish.group is None:
        return said
    record = t.cast(t.Any, found.record)
    primary = processes.process(record.spec, record.config).user or "0"
    who = wish.owner or primary.partition(":")[0]
    group = wish.group or ("" if wish.owner else primary.partition(":")[2])
    user = users.find(root.fd, oci.Process((), (), "/"), user=who + (":" + group if group else ""))
    return dataclasses.replace(
        said,
        uid=user.uid if wish.archive or wish.owner is not None else None,
        gid=user.gid if wish.archive or wish.group is not None else None,
    )


def _number(text: t.Optional[str], option: str) -> t.Optional[int]:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise Invalid(option, "%r is not a number; on the host the names of the container mean nothing" % text)
    return int(text)


def _provided(found: ContainerState, wish: CopyWish, path: str) -> t.Callable[[Entry], None]:
    """Raises Conflict for an entry that would take the place of a file that the engine writes."""
    mounted = {mount.target for mount in found.record.spec.mounts or ()} if found.record is not None else set()
    theirs = () if wish.direction == FROM_CONTAINER else _PROVIDED.keys() - mounted

    def refuse(entry: Entry) -> None:
        full = os.path.normpath("%s/%s" % (path, entry.path))
        if full in theirs:
            hint = "its content follows from the container's options: say %s" % _PROVIDED[full]
            raise Conflict("copy to", full, "the engine writes this file at each start", hint=hint)

    return refuse


def _changes(
    place: t.Optional[Place], want: t.Sequence[Entry], source: Source, wish: CopyWish, refuse_provided: t.Callable[[Entry], None]
) -> t.List[Change]:
    there = place is not None and placing.look(place) is not None
    if wish.force is False and there:
        return []
    found: t.List[Change] = []
    fresh: t.Set[str] = set()       # directories that take the place of something else: nothing is in them, whatever a link showed
    for entry in want:
        known = there and entry.path.rpartition("/")[0] not in fresh
        have = placing.look(place, entry.path) if known and place is not None else None
        if have is not None and have.kind == filetree.OTHER:
            refuse_provided(entry)
        change = filetree.change(entry, have, same_content=_same(place, source, force=bool(wish.force)), overwrite=wish.overwrite)
        if change is not None:
            if have is not None and change.writes and place is not None:
                refuse_provided(entry)
                placing.refuse_mount(place, entry)
            if change.writes and entry.kind == filetree.DIRECTORY:
                fresh.add(entry.path)
            found.append(change)
    return found


def _same(place: t.Optional[Place], source: Source, *, force: bool) -> t.Callable[[Entry, Entry], bool]:
    if force or place is None:
        return lambda _want, _have: False
    files = placing.Files(place)
    return lambda want, have: source.digest(want) == files.digest(have)


def _text(place: t.Optional[Place], change: Change, source: Source) -> t.Optional[t.Tuple[str, str]]:
    """Before and after, where both are text that a person reads."""
    have = change.have
    before = ""
    if place is not None and have is not None and have.kind == filetree.FILE:
        found = _read(placing.Files(place), have)
        if found is None:
            return None
        before = found
    after = _read(source, change.want)
    return None if after is None else (before, after)


def _read(source: Source, entry: Entry) -> t.Optional[str]:
    if entry.size > LONGEST_TEXT:
        return None
    fd, size = source.open(entry)
    with open(fd, "rb") as stream:
        content = stream.read(min(size, LONGEST_TEXT))
    try:
        return None if b"\0" in content else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _plan(wish: CopyWish, looked: Looked) -> Plan:
    if not looked.changes:
        return Plan()
    shown = looked.changes[:MOST_SHOWN]
    reasons = ["%s: %s" % (change.want.path or looked.path, ", ".join(change.why)) for change in shown]
    if len(looked.changes) > MOST_SHOWN:
        reasons.append("and %d more" % (len(looked.changes) - MOST_SHOWN))
    written = [change.want for change in looked.changes if change.writes]
    details = {
        "direction": wish.direction,
        "path": looked.path,
        "entries": len(looked.changes),
        "bytes": sum(entry.size for entry in written if entry.kind == filetree.FILE),
    }
    before = {change.want.path or ".": filetree.shown(change.have) for change in shown}
    after = {change.want.path or ".": filetree.shown(change.want) for change in shown}
    return Plan(COPY, tuple(reasons), (Action(COPY, wish.container, details),), before, after)


def _carry_out(host: Host, found: ContainerState, wish: CopyWish, looked: Looked) -> None:
    """Everything is written beside its place before the first of it is put there."""
    into_container = wish.direction != FROM_CONTAINER
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(rootview.opened(host, found, writable=into_container))
        source = stack.enter_context(_contents(root, wish))
        place = t.cast(Place, stack.enter_context(_target(root, wish, looked.path, make=_PARENTS)))
        pieces = [placing.Placing(place, change, source) for change in looked.changes]
        steps = [Step(piece.stage, piece.discard) for piece in pieces]
        apply([*steps, *(Step(piece.commit) for piece in pieces)])


@contextlib.contextmanager
def _contents(root: rootview.Root, wish: CopyWish) -> t.Iterator[Source]:
    if wish.content is not None or wish.sent is not None:
        with contextlib.ExitStack() as stack:
            yield stack.enter_context(_origin(root, wish)).source
    else:
        with _held(root, wish) as place:
            yield placing.Files(place)

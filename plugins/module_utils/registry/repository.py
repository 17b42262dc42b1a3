# SPDX-License-Identifier: BSD-2-Clause
"""A repository of images on a server that has nothing but sftp: found, fetched, pushed, removed.

Nothing is visible before it is whole: a file is written under uploads/, and renamed; an image is there as soon as its index.json is.
Two who write at once need no lock: who pushes looks, after the image is visible, whether all its blobs are there; who removes takes a
blob away under its name first, then looks whether an image has come that needs it, and only then removes it.

Not here: layers and images of a store (the engine), what the documents say (model/repository.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import hashlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import progress
from ansible_collections.cocker.engine.plugins.module_utils.model import (
    distribution,
    names,
    oci_image,
    repository as layout,
    versions,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Single, Stored
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Reach
from ansible_collections.cocker.engine.plugins.module_utils.registry import sshprogram
from ansible_collections.cocker.engine.plugins.module_utils.registry.sftp import FSYNC, POSIX_RENAME, Sftp
from ansible_collections.cocker.engine.plugins.module_utils.registry.sftppacket import Facts, facts_of, stat_request

_LARGEST_INDEX = 64 << 10
_LARGEST_SUM = 4 << 10
_ABANDONED = 24 * 3600      # seconds, by the server's clock: what is under uploads/ for longer comes to no end
_SHORT = 12     # digits of a digest that people are shown
_HINT = "remove the image from the repository, and push it again"

Source = t.Callable[[], t.Iterable[bytes]]


@contextlib.contextmanager
def opened(reach: Reach) -> t.Iterator[Repository]:
    """Raises Unreachable, Denied, Unsupported, NotFound."""
    with sshprogram.connected(reach) as channel:
        found = Repository(Sftp(channel), str(channel.address), channel.address.path)
        facts = found.sftp.find(found.at("."))
        if facts is None or not facts.is_directory:
            raise NotFound("use", str(channel.address), "the directory does not exist on the server")
        yield found


class Repository:
    def __init__(self, sftp: Sftp, called: str, root: str) -> None:
        self.sftp, self.called, self._root = sftp, called, root

    def at(self, path: str) -> str:
        return os.path.join(self._root, path) if self._root else path

    def versions(self, name: str) -> t.List[str]:
        """Smallest first, of both forms."""
        found = {ref.version or versions.NONE for ref in [*self._refs([names.encode(name)]), *self._files()] if ref.name == name}
        return sorted(found, key=versions.key)

    def find(self, ref: ImageRef) -> t.Optional[Stored]:
        """Just this one; it may be damaged."""
        found = self._many([ref])
        if found:
            return found[0]
        file = names.file_name(layout.known_as(ref.name, ref.version or versions.NONE))
        facts = self.sftp.find(self.at(file))
        return self._single(ref, file, facts) if facts is not None and facts.is_file else None

    def listing(self, match: str = "", name: t.Optional[str] = None) -> t.List[Stored]:
        """By name, then from the smallest version to the largest; those that have `match` in NAME[:VERSION], or are called so."""
        folders = [names.encode(name)] if name is not None else [each for each, _facts in self.sftp.names(self.at(layout.IMAGES))]
        found = self._many([ref for ref in self._refs(folders) if _matches(ref, match)])
        there = {stored.ref for stored in found}
        found += [self._single(ref, *file) for ref, file in self._files().items()
                  if ref not in there and _matches(ref, match) and name in (None, ref.name)]
        return sorted(found, key=lambda stored: (stored.ref.name, versions.key(stored.ref.version or versions.NONE)))

    def _refs(self, folders: t.Sequence[str]) -> t.List[ImageRef]:
        versions_of = self.sftp.names_all([self.at("%s/%s" % (layout.IMAGES, folder)) for folder in folders])
        found = [layout.find_ref(folder, version) for folder, inside in zip(folders, versions_of) for version, _facts in inside]
        return [ref for ref in found if ref is not None]

    def _files(self) -> t.Dict[ImageRef, t.Tuple[str, Facts]]:
        found = {layout.find_file_ref(file): (file, facts) for file, facts in self.sftp.names(self.at(".")) if facts.is_file}
        return {ref: there for ref, there in found.items() if ref is not None}

    def _single(self, ref: ImageRef, file: str, facts: Facts) -> Stored:
        digest = layout.parse_sum(self.sftp.read(self.at(file + layout.SUM), _LARGEST_SUM) or b"")
        return Stored(ref, facts.modified, single=Single(file, facts.size, facts.modified, digest))

    def _many(self, refs: t.Sequence[ImageRef]) -> t.List[Stored]:
        """Those that are there. What one request after the other would ask is asked for all images at once."""
        paths = [self.at("%s/%s" % (layout.directory(ref), layout.INDEX)) for ref in refs]
        indexes = self.sftp.read_all(paths, _LARGEST_INDEX)
        there = [_Begun(ref, path, *self._read_index(ref, raw)) for ref, path, raw in zip(refs, paths, indexes) if raw is not None]
        times = [facts_of(answer) for answer in self.sftp.batch([stat_request(each.path) for each in there])]
        places = [self.at(layout.blob(each.manifest.digest)) for each in there if each.manifest]
        documents = iter(self.sftp.read_all(places, distribution.LARGEST_DOCUMENT))
        found = []
        for each, facts in zip(there, times):
            stored = Stored(each.ref, facts.modified if facts else 0, damage=each.damage)
            found.append(self._read_manifest(stored, each.manifest, next(documents)) if each.manifest else stored)
        return found

    def _read_index(self, ref: ImageRef, raw: bytes) -> t.Tuple[t.Optional[Descriptor], str]:
        try:
            manifest = layout.parse_index(raw, self._subject(ref))
            layout.blob(manifest.digest)
            return manifest, ""
        except (Damaged, Unsupported) as error:
            return None, str(error)

    def _read_manifest(self, stored: Stored, described: Descriptor, raw: t.Optional[bytes]) -> Stored:
        subject = self._subject(stored.ref)
        try:
            manifest = layout.parse_manifest(self._checked(raw, described, subject), subject)
            return dataclasses.replace(stored, digest=described.digest, manifest=manifest)
        except (Damaged, Unsupported) as error:
            return dataclasses.replace(stored, digest=described.digest, damage=str(error))

    def _subject(self, ref: ImageRef) -> str:
        return "%s in %s" % (ref, self.called)

    def _checked(self, raw: t.Optional[bytes], blob: Descriptor, subject: str) -> bytes:
        if raw is None:
            raise Damaged("read", subject, "its part %s is not there" % blob.digest, hint=_HINT)
        if len(raw) != blob.size or oci_image.digest_of(raw) != blob.digest:
            raise Damaged("read", subject, "its part %s has another content" % blob.digest, hint=_HINT)
        return raw

    def document(self, blob: Descriptor, subject: str) -> bytes:
        """A small blob as a whole. Raises Damaged."""
        return self._checked(self.sftp.read(self.at(layout.blob(blob.digest)), distribution.LARGEST_DOCUMENT), blob, subject)

    def pieces(self, blob: Descriptor) -> t.Iterator[bytes]:
        """Not verified."""
        return progress.counted(_short(blob), blob.size, self.sftp.pieces(self.at(layout.blob(blob.digest)), blob.size))

    def single_pieces(self, single: Single) -> t.Iterator[bytes]:
        """Every byte once; worth nothing unless it comes to its end. Raises Damaged."""
        found, size = hashlib.sha256(), 0
        for piece in self.sftp.pieces(self.at(single.file), single.size):
            found.update(piece)
            size += len(piece)
            yield piece
        if size != single.size:
            raise Damaged("fetch", single.file, "it has %d bytes instead of %d" % (size, single.size))
        if single.digest and "sha256:" + found.hexdigest() != single.digest:
            raise Damaged("fetch", single.file, "its digest is sha256:%s, its %s says %s" % (found.hexdigest(), layout.SUM, single.digest))

    def missing(self, blobs: t.Sequence[Descriptor]) -> t.List[Descriptor]:
        """Those that are not there, or not with this size."""
        answers = self.sftp.batch([stat_request(self.at(layout.blob(blob.digest))) for blob in blobs])
        return [blob for blob, facts in zip(blobs, map(facts_of, answers)) if facts is None or facts.size != blob.size]

    def prepare(self) -> None:
        """Directories, and no remains of those who were cut off. Raises Unsupported for a server on which nothing would be safe."""
        for name in (POSIX_RENAME, FSYNC):
            if name not in self.sftp.extensions:
                raise Unsupported("push", self.called, "its server lacks %s, without which nothing can be replaced safely" % name)
        for directory in (layout.IMAGES, os.path.dirname(layout.BLOBS), layout.BLOBS, layout.UPLOADS):
            self.sftp.ensure_directory(self.at(directory))
        here = self._aside()
        self.sftp.write(here, ())
        now = self.sftp.find(here)
        for name, facts in self.sftp.names(self.at(layout.UPLOADS)):
            path = self.at("%s/%s" % (layout.UPLOADS, name))
            if path == here or now is not None and facts.modified + _ABANDONED < now.modified:
                self.sftp.remove(path)

    def _aside(self) -> str:
        return self.at("%s/%s" % (layout.UPLOADS, os.urandom(12).hex()))

    def _place(self, path: str, source: Source, *, new: bool = False) -> None:
        """Whole and on the disk before it has its name; Conflict where it is `new` and somebody was first."""
        here = self._aside()
        try:
            self.sftp.write(here, source())
            if new:
                self.sftp.rename(here, path)
            else:
                self.sftp.replace(here, path)
        except CockerError as error:
            try:
                self.sftp.remove(here)
            except CockerError as other:        # the connection is gone, say; the next one who pushes removes it
                error.cleanup.append(other)
            raise

    def upload(self, blob: Descriptor, source: Source) -> None:
        """`source` has to give what the descriptor says."""
        self._place(self.at(layout.blob(blob.digest)), lambda: progress.counted(_short(blob), blob.size, source()))

    def commit(self, ref: ImageRef, manifest: Descriptor, digests: t.Sequence[str], *, new: bool) -> None:
        """The image is visible, with all its blobs being there. Conflict where it is `new` and somebody was first."""
        folder, raw = layout.directory(ref), layout.index(ref, manifest)
        self.sftp.ensure_directory(self.at(os.path.dirname(folder)))
        self.sftp.ensure_directory(self.at(folder))
        self._place(self.at("%s/%s" % (folder, layout.LAYOUT)), lambda: [layout.LAYOUT_DOCUMENT])
        self._place(self.at("%s/%s" % (folder, layout.INDEX)), lambda: [raw], new=new)
        sums = layout.sums(oci_image.digest_of(raw), digests)
        self._place(self.at("%s/%s" % (folder, layout.SUMS)), lambda: [sums])

    def remove_single(self, single: Single) -> None:
        for file in (single.file, single.file + layout.SUM):
            self.sftp.remove(self.at(file))

    def remove(self, stored: Stored) -> None:
        """With the blobs that no other image needs; of a damaged one, they stay."""
        if stored.single is not None:
            self.remove_single(stored.single)
            return
        folder = self.at(layout.directory(stored.ref))
        for file in (layout.INDEX, layout.SUMS, layout.LAYOUT):
            self.sftp.remove("%s/%s" % (folder, file))
        if self.sftp.remove_directory(folder):
            self.sftp.remove_directory(os.path.dirname(folder))
        self.collect(stored.blobs)

    def collect(self, digests: t.Sequence[str]) -> None:
        """Of these, those that no image needs go."""
        needed = self._needed()
        if needed is None:
            return
        away = {}
        for digest in sorted(set(digests) - needed):
            here = self._aside()
            with contextlib.suppress(NotFound):
                self.sftp.replace(self.at(layout.blob(digest)), here)
                away[here] = digest
        needed = self._needed() if away else needed
        for here, digest in away.items():
            if needed is None or digest in needed:
                self.sftp.replace(here, self.at(layout.blob(digest)))
            else:
                self.sftp.remove(here)

    def _needed(self) -> t.Optional[t.Set[str]]:
        """None where it cannot be known, as an image is damaged."""
        there = self.listing()
        return None if any(stored.damage for stored in there) else {digest for stored in there for digest in stored.blobs}


class _Begun(t.NamedTuple):
    """An image of which the index was read."""

    ref: ImageRef
    path: str
    manifest: t.Optional[Descriptor]
    damage: str


def _short(blob: Descriptor) -> str:
    """As people are shown it."""
    return blob.digest.partition(":")[2][:_SHORT]


def _matches(ref: ImageRef, match: str) -> bool:
    return fnmatch.fnmatchcase(str(ref), "*%s*" % match)

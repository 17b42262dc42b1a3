# SPDX-License-Identifier: BSD-2-Clause
"""cocker_image_export: images of the store in a file.

What the file has to be is known by its digest, so one that is there and right is not written again, whatever its time says.
Not here: what is in the file (storage/writeimage.py).
"""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, newfile
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import COCKERIMAGE, ExportWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import exports, images, layers, writeimage
from ansible_collections.cocker.engine.plugins.module_utils.storage.compress import Write
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob

EXPORT, REPLACE = "export", "replace"


def ensure(host: Host, wish: ExportWish) -> Outcome:
    """Raises NotFound for an image that is not there, Invalid for a path that no file can have."""
    with contextlib.ExitStack() as stack:
        for name in sorted({ref.name for ref in wish.images}):
            stack.enter_context(host.locked("image", name, shared=True))        # its layers stay meanwhile
        records = tuple(images.resolve(host.layout, ref) for ref in wish.images)
        wanted = writeimage.Wanted(records, wish.format, wish.compression)
        path = _target(wish, records)
        have = newfile.found(path)
        known = exports.find(host.layout, wanted.key())
        new = stack.enter_context(newfile.NewFile(path, lambda out: _write(host, wanted, out), dry_run=host.dry_run))
        if known is None and (have is not None or not host.dry_run):
            known = new.make()
        plan = _plan(wish, path, have, known)
        execute(plan, lambda action: Step(new.place), dry_run=host.dry_run)
        known = new.made or known
        if not host.dry_run and known is not None:
            exports.remember(host.layout, wanted.key(), known)
        return outcome(plan, _result(path, records, known))


def _plan(wish: ExportWish, path: str, have: t.Optional[Blob], known: t.Optional[Blob]) -> Plan:
    """Pure. `known` None: nothing is there, so that it does not matter what it will be."""
    if have is not None and have == known and not wish.force:
        return Plan()
    details = {"format": wish.format, "images": [str(ref) for ref in wish.images]}
    before = {"exists": have is not None, **({"digest": have.digest, "size": have.size} if have else {})}
    after = {"exists": True, "format": wish.format, "images": details["images"]}
    if have is None:
        return Plan(EXPORT, ("the file does not exist",), (Action(EXPORT, path, details),), before, after)
    reason = "force was asked for" if have == known else "the file's content is another one"
    return Plan(REPLACE, (reason,), (Action(REPLACE, path, details),), before, after)


def _result(path: str, records: t.Sequence[ImageRecord], known: t.Optional[Blob]) -> t.Dict[str, t.Any]:
    shown = [inspect.image(record) for record in records]
    facts = {"digest": known.digest, "size": known.size} if known else {"digest": None, "size": None}
    return {"path": path, "images": shown, "image": shown[0], **facts}


def _target(wish: ExportWish, records: t.Sequence[ImageRecord]) -> str:
    """In a directory, a .cockerimage is called by what it holds."""
    path = wish.path
    if os.path.isdir(path) and wish.format == COCKERIMAGE:
        path = os.path.join(path, names.file_name(records[0].ref))
    return newfile.place(path)


def _write(host: Host, wanted: writeimage.Wanted, out: Write) -> Blob:
    if host.dry_run:
        return writeimage.write(host.layout, wanted, out)
    with layers.aside(host.layout.layers) as spool:
        return writeimage.write(host.layout, wanted, out, spool=spool)

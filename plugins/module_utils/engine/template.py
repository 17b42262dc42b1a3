# SPDX-License-Identifier: BSD-2-Clause
"""A file of a container made from a template that is in it, by replacing words. Running or not, as every copy.

Not here: what is replaced by what (model/substitution.py) and how the file is written (copy.py).
"""
from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import copy, observe, rootview
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import filetree, substitution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.filetree import Entry
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CopyWish, TemplateWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import placing

LARGEST = 64 << 20      # bytes of a template or a mapping; it is worked on in memory


class _Template(t.NamedTuple):
    """`instance` is what is there of the result, by name."""

    facts: Entry
    content: bytes
    instance: t.Optional[Entry]


def ensure(host: Host, wish: TemplateWish) -> Outcome:
    """Raises NotFound, Conflict, Invalid before the first effect."""
    mapping = wish.mapping if wish.mapping is not None else _mapping(wish.mapping_file or "")
    target = wish.instance or wish.template
    with host.locked("container", wish.container):
        found = observe.container(host, wish.container)
        with rootview.opened(host, found) as root:
            template = _read(root, wish.template, target)
        done = substitution.substitute(template.content, mapping)
        unreplaced = [word.decode("utf-8", "replace") for word in done.unreplaced]
        if wish.strict and unreplaced:
            raise Invalid("strict", "the mapping has no value for %s of %s" % (", ".join(unreplaced), wish.template))
        if target == wish.template and not substitution.is_stable(done.content, mapping):
            raise Invalid("instance_file", "a value holds a word of the mapping, so that every run in place would change the file again")
        outcome = copy.copied(host, found, _copy(wish, target, done.content, template))
        outcome.result.update(instance_file=target, replacements=done.replacements, unreplaced=unreplaced)
        return outcome


def _mapping(path: str) -> t.Mapping[bytes, bytes]:
    try:
        with open(path, "rb") as stream:
            return substitution.parse(stream.read(LARGEST), "mapping_file")
    except OSError as error:
        raise NotFound("read mapping", path, error.strerror or "") from error


def _read(root: rootview.Root, path: str, instance: str) -> _Template:
    with copy.anchored(root, path, follow=True) as place:
        facts = placing.look(place)
        if facts is None:
            raise NotFound("template", path, "it does not exist in the container")
        if facts.kind != filetree.FILE or facts.size > LARGEST:
            raise Conflict("template", path, "it is no regular file of at most %d bytes" % LARGEST)
        fd, size = placing.Files(place).open(facts)
        with open(fd, "rb") as stream:
            content = stream.read(size)
    there = None
    with contextlib.suppress(NotFound), copy.anchored(root, instance, follow=True) as place:
        there = placing.look(place)
    return _Template(facts, content, there)


def _copy(wish: TemplateWish, target: str, content: bytes, template: _Template) -> CopyWish:
    """A file that is there keeps its mode and owner; a new one gets the template's."""
    facts = template.facts
    of_template: t.Mapping[str, t.Any] = {}
    if template.instance is None:
        of_template = {"mode": facts.mode, "owner": str(facts.uid), "group": str(facts.gid)}
    return CopyWish(
        wish.container,
        target,
        content=content,
        follow=True,
        archive=False,
        mode=wish.mode if wish.mode is not None else of_template.get("mode"),
        owner=wish.owner or of_template.get("owner"),
        group=wish.group or of_template.get("group"),
    )

# SPDX-License-Identifier: BSD-2-Clause
"""`cocker -a ACTION` on images. A version that is not said is none, `_`; only create, boot and to_container take the largest.

Not here: how they are spelled (seed.py), actions on containers (seedacts.py).
"""
from __future__ import annotations

import argparse
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image, args_image_export, parse_image, parse_image_export
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound

Said = argparse.Namespace
_TEST = "test"


class Action(t.NamedTuple):
    """`run` gives None where OK is to be said, else the exit code. It `needs` these options, and `takes` those; no others go with it."""

    run: t.Callable[[Context, argparse.Namespace], t.Optional[int]]
    needs: t.Tuple[str, ...]
    takes: t.Tuple[str, ...] = ()


def told(context: Context, said: Said, outcome: Outcome) -> Outcome:
    """With --debug, each step."""
    for action in outcome.actions if said.debug else ():
        context.say("[%s %s] ok" % (action["action"], action["name"]))
    return outcome


def literal(text: str, version: t.Optional[str] = None) -> str:
    """Pure. Raises Invalid."""
    ref = names.parse_image(text, "--image")
    return "%s:%s" % (ref.name, version or ref.version or versions.NONE)


def _image(context: Context, said: Said, **options: t.Any) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import images

    return told(context, said, images.ensure(context.acting(), parse_image.wish(asked.params(args_image.SPEC, **options))))


def _made(name: str, outcome: Outcome) -> None:
    if not outcome.changed:
        raise Conflict("image", "'%s'" % name, "exist")


def _refuse_there(context: Context, name: str) -> None:
    """Also where it is another one, which a task would replace."""
    ref = names.parse_image(name, "--image")
    if os.path.lexists(context.looking().layout.image(ref.name, ref.version)):
        raise Conflict("image", "'%s'" % name, "exist", hint="del_image comes first")


def _version(context: Context, said: Said) -> None:
    if not _image(context, said, name=literal(said.image), new_version=said.version or versions.NONE).changed:
        raise Conflict("image", "'%s'" % said.image, "version equal")


def _to_image(context: Context, said: Said) -> None:
    """The container becomes the image; without a version, that of the image which it once was."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import observe

    found = observe.container(context.acting(), said.from_container)
    if found.record is None:
        raise NotFound("container", "'%s'" % said.from_container, "not found")
    if found.running is not None:
        raise Conflict("container", "'%s'" % said.from_container, "is already running", hint="shutdown comes first")
    version = said.version
    if version is None and found.record.source:
        version = names.parse_image(found.record.source).version
    name = literal(said.to_image, version)
    _refuse_there(context, name)
    _made(name, _image(context, said, source="container", from_container=said.from_container, name=name, mode="move", layers="top"))


def _copy(context: Context, said: Said) -> None:
    name = literal(said.to_image)
    _refuse_there(context, name)
    _made(name, _image(context, said, source="image", from_image=literal(said.from_image), name=name))


def _delete(context: Context, said: Said) -> None:
    if not _image(context, said, name=literal(said.image), state="absent").changed:
        raise NotFound("image", "'%s'" % said.image, "not found")


def _export(context: Context, said: Said) -> None:
    """Into the working directory."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_export

    params = asked.params(args_image_export.SPEC, names=[literal(said.image)], path=os.getcwd(), format="cockerimage")
    told(context, said, image_export.ensure(context.acting(), parse_image_export.wish(params)))


def _import(context: Context, said: Said) -> None:
    path = os.path.abspath(said.image_file)
    name = names.in_file_name(path)
    if name is not None:
        _refuse_there(context, literal(name))
    _made(said.image_file, _image(context, said, source="archive", format="cockerimage", path=path))


def _spush(context: Context, said: Said) -> None:
    """The same image there is as good as pushed; another one needs --forcely."""
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_repository, parse_repository
    from ansible_collections.cocker.engine.plugins.module_utils.engine import repository

    params = asked.params(args_repository.REPOSITORY, name=literal(said.image), force=said.forcely)
    told(context, said, repository.ensure(context.acting(), parse_repository.wish(params)))


def _spull(context: Context, said: Said) -> None:
    _made(said.image, _image(context, said, source="repository", name=literal(said.image), pull="missing", force=said.forcely))


def _install_test(context: Context, said: Said) -> None:
    _image(context, said, source="host", name=literal(_TEST, said.version), force=True)


ACTIONS: t.Dict[str, Action] = {
    "version": Action(_version, ("image",), ("version",)),
    "to_image": Action(_to_image, ("from_container", "to_image"), ("version",)),
    "copy_image": Action(_copy, ("from_image", "to_image")),
    "del_image": Action(_delete, ("image",)),
    "export": Action(_export, ("image",)),
    "import": Action(_import, ("image_file",)),
    "spush": Action(_spush, ("image",), ("forcely",)),
    "spull": Action(_spull, ("image",), ("forcely",)),
    "install_test": Action(_install_test, (), ("version",)),
}

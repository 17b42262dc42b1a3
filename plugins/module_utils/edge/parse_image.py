# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_image, read; and image references, wherever they are written."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image_config, parse_registry, parse_repository, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, names, units, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Pull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import PRESENT, ImageWish

ARCHIVE, CONTAINER, DIRECTORY, HOST, IMAGE = "archive", "container", "directory", "host", "image"
REGISTRY, REPOSITORY = "registry", "repository"
_HEX = frozenset("0123456789abcdef")
_NO_LIMIT = 1 << 62
_OF_SOURCES = {"archive_image": (ARCHIVE,), "platform": (ARCHIVE, REGISTRY), "unpacked_limit": (ARCHIVE, REGISTRY, REPOSITORY),
               "reference": (REGISTRY, REPOSITORY)}


def wish(params: Params) -> ImageWish:
    """Raises Invalid."""
    _refuse_strangers(params)
    name, version = _name_and_version(params)
    return ImageWish(
        name=name,
        version=version,
        state=params["state"],
        source=params["source"],
        path=values.absolute(params["path"], "path"),
        digest=_digest(params),
        programs=_programs(params["programs"]),
        force=params["force"],
        from_image=None if params["from_image"] is None else reference(params["from_image"], "from_image"),
        from_container=None if params["from_container"] is None else names.object_name(params["from_container"], "from_container"),
        mode=params["mode"],
        layers=params["layers"],
        says_version=params["version"] == versions.NONE or (params["name"] or "").endswith(":" + versions.NONE),
        new_version=_new_version(params["new_version"]),
        config=parse_image_config.config(params["config"]),
        format=params["format"],
        archive_image=params["archive_image"],
        platform=None if params["platform"] is None else str(distribution.parse_platform(params["platform"])),
        unpacked_limit=_limit(params["unpacked_limit"]),
        pull=_pull(params, name, version),
        fetch=parse_repository.fetch(params, name, version) if params["source"] == REPOSITORY and params["state"] == PRESENT else None,
    )


def reference(text: str, option: str) -> str:
    """NAME or NAME:VERSION, where NAME:_ is the image without a version and NAME leaves the choice to the engine. Raises Invalid."""
    ref = names.parse_image(text, option)
    return ref.name if ref.version is None else "%s:%s" % (ref.name, ref.version)


def wanted(text: str, option: str) -> str:
    """As reference(), for an image of which a container is made: also NAME[:VERSION]@DIGEST. Raises Invalid."""
    return str(names.parse_wanted(text, option))


def _name_and_version(params: Params) -> t.Tuple[str, t.Optional[str]]:
    ref = names.parse_image(_name(params), "name")
    version = ref.version
    if params["version"] is not None:
        if version is not None:
            raise Invalid("version", "name has a version already (%s)" % version)
        version = names.image_version(params["version"], "version")
    return ref.name, None if version == versions.NONE else version


def _name(params: Params) -> str:
    """A .cockerimage is called NAME[:VERSION].cockerimage."""
    if params["name"] is not None:
        return str(params["name"])
    found = names.in_file_name(params["path"] or "") if params["source"] == ARCHIVE else None
    if found is None:
        raise Invalid("name", "the image needs one; only a .cockerimage brings its own, by which its file is called")
    return found if params["version"] is None else found.partition(":")[0]


def _limit(given: t.Optional[str]) -> t.Optional[int]:
    size = units.parse_size(given, "unpacked_limit") if given is not None else None
    if size is not None and size != units.UNLIMITED and size < 1:
        raise Invalid("unpacked_limit", "%s is no size above 0" % given)
    return _NO_LIMIT if size == units.UNLIMITED else size


def _new_version(given: t.Optional[str]) -> t.Optional[str]:
    """The empty text is none, too."""
    return None if given is None else names.image_version(given or versions.NONE, "new_version")


def _refuse_strangers(params: Params) -> None:
    """Options that need another one, or another value of it."""
    if params["state"] != PRESENT:
        return
    source, has_path = params["source"], params["path"] is not None
    if params["programs"] is not None and source != HOST:
        raise Invalid("programs", "it needs source: host")
    if not params["remote_src"] and source != ARCHIVE:
        raise Invalid("remote_src", "only an archive is sent from the controller: it needs source: archive")
    for option, sources in _OF_SOURCES.items():
        if params[option] is not None and source not in sources:
            raise Invalid(option, "it needs source: %s" % " or ".join(sources))
    if params["format"] != "auto" and source != ARCHIVE:
        raise Invalid("format", "it needs source: archive")
    if params["new_version"] is not None and (source is not None or params["config"] is not None):
        raise Invalid("new_version", "it is for an image that is in the store: no source and no config goes with it")
    if (params["from_image"] is not None) != (source == IMAGE):
        raise Invalid("from_image", "source: image needs the image to copy, and is needed for it")
    if (params["from_container"] is not None) != (source == CONTAINER):
        raise Invalid("from_container", "source: container needs the container, and is needed for it")
    for option, usual in (("mode", "commit"), ("layers", "chain")):
        if params[option] != usual and source != CONTAINER:
            raise Invalid(option, "it needs source: container")
    if params["force"] and source is None and params["new_version"] is None:
        raise Invalid("force", "it needs a source to make the image from")
    if source in (ARCHIVE, DIRECTORY) and not has_path and params["archive_digest"] is None:
        raise Invalid("path", "source: %s needs the path of it" % source)
    if source not in (ARCHIVE, DIRECTORY) and has_path:
        raise Invalid("path", "it needs source: archive or source: directory")
    if not params["remote_src"] and has_path:
        raise Invalid("remote_src", "an archive on the controller is sent by the action plugin of this module, which has not run")


def _pull(params: Params, name: str, version: t.Optional[str]) -> t.Optional[Pull]:
    """Without a reference the image is called in the registry as it is in the store."""
    if params["state"] != PRESENT or params["source"] != REGISTRY:
        return None
    if params["reference"] is not None:
        remote = distribution.parse_remote(params["reference"], "reference")
    else:
        try:
            remote = distribution.parse_remote(name if version is None else "%s:%s" % (name, version), "name")
        except Invalid as error:
            raise Invalid("name", error.reason, hint="or say in reference where the image is") from None
    platform = distribution.parse_platform(params["platform"]) if params["platform"] is not None else None
    return Pull(remote, params["pull"], platform, parse_registry.access(params))


def _digest(params: Params) -> t.Optional[str]:
    digest = params["archive_digest"]
    if digest is None:
        return None
    if params["source"] != ARCHIVE or len(digest) != 64 or not set(digest) <= _HEX:
        raise Invalid("archive_digest", "%r is not the SHA-256 of an archive in lower-case hexadecimal" % digest)
    return str(digest)


def _programs(given: t.Optional[t.Sequence[str]]) -> t.Optional[t.Tuple[str, ...]]:
    if given is None:
        return None
    for program in given:
        if not program or "\0" in program or program.endswith("/"):
            raise Invalid("programs", "%r is neither the name nor the path of a program" % program)
    return tuple(sorted(set(given)))

# SPDX-License-Identifier: BSD-2-Clause
"""The options that say how registries are reached, and those of cocker_login and cocker_image_push, read."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import PRESENT, Access, LoginWish, PushWish

_LONGEST = 3600


def access(params: Params) -> Access:
    """Raises Invalid."""
    timeout = params["registry_timeout"]
    if not 1 <= timeout <= _LONGEST:
        raise Invalid("registry_timeout", "%d is not between 1 and %d seconds" % (timeout, _LONGEST))
    if params["plain_http"] and params["ca_path"] is not None:
        raise Invalid("ca_path", "with plain_http there is no certificate that it could be for")
    return Access(
        plain_http=params["plain_http"],
        validate_certs=params["validate_certs"],
        ca_path=values.absolute(params["ca_path"], "ca_path"),
        timeout=timeout,
        auth_path=values.absolute(params["config_path"], "config_path"),
    )


def login(params: Params) -> LoginWish:
    """Raises Invalid."""
    username, password = params["username"], params["password"]
    if params["state"] == PRESENT:
        for option, value in (("username", username), ("password", password)):
            if not value:
                raise Invalid(option, "it is needed to log in")
        if ":" in username or not username.isprintable():
            raise Invalid("username", "%r holds a colon or control characters" % username)
        if "\0" in password or "\n" in password:
            raise Invalid("password", "it holds a line break or a NUL character")
    return LoginWish(
        registry=registry(params["registry"], "registry"),
        username=username or "",
        password=password or "",
        state=params["state"],
        verify=params["verify"],
        reauthorize=params["reauthorize"],
        access=access(params),
    )


def push(params: Params) -> PushWish:
    """Raises Invalid."""
    image = image_ref(params)
    return PushWish(image, _target(params["reference"], image), params["format"], access(params))


def image_ref(params: Params) -> names.ImageRef:
    """Of an image that is in the store: without a version the largest is meant. Raises Invalid."""
    ref = names.parse_image(params["name"], "name")
    if params["version"] is None:
        return ref
    if ref.version is not None:
        raise Invalid("version", "name has a version already (%s)" % ref.version)
    return ref._replace(version=names.image_version(params["version"], "version"))


def _target(reference: t.Optional[str], image: names.ImageRef) -> distribution.Remote:
    """Where it goes; without a reference it is called there as it is here."""
    if reference is not None:
        remote = distribution.parse_remote(reference, "reference")
        if remote.digest is not None:
            raise Invalid("reference", "%s: an image is pushed to a tag, its digest follows from its content" % reference)
        return remote
    try:
        name = image.name if image.version in (None, versions.NONE) else str(image)
        return distribution.parse_remote(name, "name")
    except Invalid as error:
        raise Invalid("name", error.reason, hint="or say in reference where the image goes") from None


def registry(text: str, option: str) -> str:
    """HOST[:PORT]; a scheme in front and a version behind mean nothing. Raises Invalid."""
    host = text
    for scheme in ("https://", "http://"):
        host = host[len(scheme):] if host.startswith(scheme) else host
    host = host.rstrip("/")
    for version in ("/v1", "/v2"):
        host = host[: -len(version)] if host.endswith(version) else host
    if not distribution.is_host(host):
        raise Invalid(option, "%r is no registry; HOST[:PORT] is accepted, where HOST has a dot or a port or is localhost" % text)
    return host

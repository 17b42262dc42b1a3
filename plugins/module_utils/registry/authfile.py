# SPDX-License-Identifier: BSD-2-Clause
"""Files of registry credentials in the form that docker and podman share: {"auths": {HOST: {"auth": base64(user:password)}}}.

Everybody's are read; what is written has mode 0600 and keeps whatever else the file says. Not here: whether the credentials are right.
"""
from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.registry.credentials import Credentials

_HINT = "log in with cocker login or cocker_login"
_LARGEST = 1 << 20
_LOCK_TIMEOUT = 30.0
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC

Json = t.Dict[str, t.Any]


def places(own: str, environment: t.Mapping[str, str]) -> t.List[str]:
    """Where credentials may be, ours first, then podman's, then docker's."""
    home = environment.get("HOME") or "/root"
    runtime = environment.get("XDG_RUNTIME_DIR")
    containers = os.path.join(runtime, "containers") if runtime else "/run/containers/%d" % os.geteuid()
    settings = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return [
        own,
        environment.get("REGISTRY_AUTH_FILE") or os.path.join(containers, "auth.json"),
        os.path.join(settings, "containers", "auth.json"),
        os.path.join(environment.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json"),
    ]


def find(paths: t.Iterable[str], host: str, repository: str = "") -> t.Optional[Credentials]:
    """The first file that knows the registry decides. Raises Damaged, and Unsupported for what only a credential helper knows."""
    for path in paths:
        content = load(path)
        helpers = _table(content, "credHelpers", path)
        for key in _keys(host, repository):
            entry = next((value for name, value in _table(content, "auths", path).items() if _plain(name) == key), None)
            if key in helpers or entry is not None and not _says(entry) and "credsStore" in content:
                raise Unsupported("log in to", host, "%s leaves the password to a helper program, which is not asked" % path,
                                  hint=_HINT)
            if entry is not None and _says(entry):
                return _credentials(entry, path, key)
    return None


def _keys(host: str, repository: str) -> t.List[str]:
    """The most particular one first, as podman has them: HOST/a/b, HOST/a, HOST."""
    parts = [host, *(part for part in repository.split("/") if part)]
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _plain(key: str) -> str:
    """docker once wrote whole addresses."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            return key[len(scheme):].partition("/")[0]
    return key.rstrip("/")


def _says(entry: t.Any) -> bool:
    return isinstance(entry, dict) and any(entry.get(key) for key in ("auth", "username", "identitytoken"))


def _credentials(entry: Json, path: str, key: str) -> Credentials:
    if entry.get("identitytoken"):
        raise Unsupported("log in to", key, "%s holds an identity token for it, which is not understood" % path, hint=_HINT)
    username, password = entry.get("username"), entry.get("password")
    if entry.get("auth"):
        with contextlib.suppress(binascii.Error, ValueError, TypeError, AttributeError):
            text = base64.b64decode(entry["auth"], validate=True).decode("utf-8").rstrip("\0")
            username, password = text.split(":", 1)
    if not isinstance(username, str) or not isinstance(password, str):
        raise Damaged("read", path, "what it says of %s is neither user and password nor their base64" % key)
    return Credentials(username, password)


def load(path: str) -> Json:
    """Empty if there is none. Raises Damaged, without a word of what is in it."""
    try:
        fd = os.open(path, _OPEN)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Damaged("read", path, "it is no regular file")
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise Damaged("read", path, "it is larger than %d bytes" % _LARGEST)
    return distribution.parse_document(raw, path) if raw.strip() else {}


def _table(content: Json, name: str, path: str) -> Json:
    value = content.get(name) or {}
    if not isinstance(value, dict):
        raise Damaged("read", path, "its %s are no object" % name)
    return value


def own(path: str, host: str) -> t.Optional[Credentials]:
    """Exactly what store() would write anew."""
    entry = _table(load(path), "auths", path).get(host)
    return _credentials(entry, path, host) if entry is not None and _says(entry) else None


def is_private(path: str) -> bool:
    try:
        return not os.stat(path).st_mode & 0o077
    except FileNotFoundError:
        return True


def store(path: str, host: str, credentials: t.Optional[Credentials]) -> None:
    """Replaces what the file says of the registry, or removes it with None. Atomic, and one at a time."""
    folder = os.path.dirname(path)
    _ensure_folder(folder)
    with fs.lock(os.path.join(folder, ".%s.lock" % os.path.basename(path)), timeout=_LOCK_TIMEOUT):
        target = os.path.realpath(path)     # a link stays one
        content = load(target)
        auths = dict(_table(content, "auths", path))
        if credentials is None:
            auths.pop(host, None)
        else:
            auths[host] = {"auth": credentials.encoded()}
        fs.write_atomic(target, json.dumps({**content, "auths": auths}, indent=1).encode("utf-8") + b"\n", mode=0o600)


def _ensure_folder(folder: str) -> None:
    if not os.path.isdir(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.mkdir(folder, 0o700)

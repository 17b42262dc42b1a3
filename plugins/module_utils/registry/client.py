# SPDX-License-Identifier: BSD-2-Clause
"""One repository of a registry, by the OCI distribution protocol: manifests and tags. Blobs are in blobs.py.

What it returns was checked against its digest. Not here: what is done with it (engine/).
"""
from __future__ import annotations

import copy
import hashlib
import http.client
import json
import re
import typing as t
import urllib.parse

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Remote
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Denied, NotFound, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.registry.auth import Authorizer
from ansible_collections.cocker.engine.plugins.module_utils.registry.credentials import Credentials
from ansible_collections.cocker.engine.plugins.module_utils.registry.transport import (
    ATTEMPTS,
    Body,
    Headers,
    Origin,
    Response,
    Transport,
    may_pass,
    origin_of,
    unreachable,
)

PULL, PUSH = "pull", "pull,push"
_ACCEPT = ", ".join(distribution.MANIFESTS + distribution.INDEXES)
_LARGEST_ERROR = 64 << 10
_LONGEST_MESSAGE = 200
_MOST_PAGES = 100
_NEXT = re.compile(r'<([^>]*)>\s*;.*rel="?next"?')


class Fetched(t.NamedTuple):
    """A document as its bytes are, whose digest is right."""

    raw: bytes
    media_type: str
    digest: str


class Client:
    """`scheme` is http only where the task says so."""

    def __init__(
        self, remote: Remote, transport: Transport, *, credentials: t.Optional[Credentials] = None, scheme: str = "https",
    ) -> None:
        self.remote = remote
        self.transport = transport
        self.base = "%s://%s/v2/" % (scheme, remote.host)
        self._authorizer = Authorizer(self.origin, transport, credentials)

    def beside(self, repository: str) -> Client:
        """The same registry and login, another repository."""
        other = copy.copy(self)
        other.remote = Remote(self.remote.host, repository)
        return other

    @property
    def origin(self) -> Origin:
        return origin_of(self.base)

    def url(self, path: str) -> str:
        return "%s%s/%s" % (self.base, self.remote.repository, path)

    def scope(self, actions: str, repository: t.Optional[str] = None) -> str:
        return "repository:%s:%s" % (repository or self.remote.repository, actions)

    def ask(
        self, method: str, url: str, *, scope: str, headers: t.Optional[Headers] = None, body: Body = None, attempts: int = ATTEMPTS,
    ) -> Response:
        """The answer, after logging in where that was asked for; 401 and 403 become Denied, what never came Unreachable."""
        used = self._authorizer.header(url, scope)
        for is_last in (False, True):
            sent = {**(headers or {}), **({"Authorization": used} if used else {})}
            response = self.transport.request(method, url, headers=sent, body=body, attempts=attempts)
            if response.status != 401:
                return response
            with response:
                challenges = response.headers.get_all("WWW-Authenticate") or []
            if is_last:
                raise self._authorizer.refusal()
            if origin_of(response.url) != self.origin:
                break
            self._authorizer.answer(challenges, scope=scope, used=used)
            used = self._authorizer.header(url, scope)
        raise Denied("ask", str(origin_of(response.url)), "it wants a password, and is not the registry that ours is for")

    def ping(self) -> None:
        """Whether the registry is one, and takes our credentials. Raises Denied, Unreachable."""
        with self.ask("GET", self.base, scope="") as response:
            if response.status != 200:
                raise self.failure("log in to", self.remote.host, response)

    def find_digest(self, reference: str) -> t.Optional[str]:
        """Of the manifest or list that the tag names now, without fetching it where the registry says it by itself."""
        with self.ask("HEAD", self.url("manifests/" + reference), scope=self.scope(PULL), headers={"Accept": _ACCEPT}) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
        if response.status == 404:
            return None
        if response.status == 200 and distribution.is_digest(digest):
            return digest
        if response.status in (200, 405):
            return self.manifest(reference).digest
        raise self.failure("ask", str(self.remote), response)

    def manifest(self, reference: str) -> Fetched:
        """Raises NotFound, Damaged, Denied, Unreachable."""
        raw, response = self._document("manifests/" + reference, {"Accept": _ACCEPT})
        media_type = (response.headers.get("Content-Type") or "").partition(";")[0].strip()
        said = response.headers.get("Docker-Content-Digest") or ""
        wanted = reference if distribution.is_digest(reference) else said
        algorithm = wanted.partition(":")[0] if distribution.is_digest(wanted) else "sha256"
        digest = digest_of(raw, algorithm)
        if distribution.is_digest(wanted) and digest != wanted:
            raise Damaged("fetch", str(self.remote), "the manifest's digest is %s, not %s" % (digest, wanted))
        return Fetched(raw, media_type, digest)

    def _document(self, path: str, headers: Headers) -> t.Tuple[bytes, Response]:
        """Small enough to be asked for as a whole again when it is cut off."""
        url = self.url(path)
        for attempt in range(ATTEMPTS):
            try:
                with self.ask("GET", url, scope=self.scope(PULL), headers=headers) as response:
                    if response.status != 200:
                        raise self.failure("fetch", str(self.remote), response)
                    return response.read_document(distribution.LARGEST_DOCUMENT), response
            except (OSError, http.client.HTTPException) as error:
                if attempt == ATTEMPTS - 1 or not may_pass(error):
                    raise unreachable("GET", url, error) from error
            self.transport.pause(attempt)
        raise CockerError("fetch", url, "no attempt was made")

    def put_manifest(self, reference: str, raw: bytes, media_type: str) -> str:
        """Its digest. Raises Denied, Unreachable, Damaged."""
        digest = digest_of(raw)
        headers = {"Content-Type": media_type, "Content-Length": str(len(raw))}
        with self.ask("PUT", self.url("manifests/" + reference), scope=self.scope(PUSH), headers=headers, body=raw) as response:
            if response.status not in (200, 201, 202):
                raise self.failure("push", str(self.remote), response)
        said = response.headers.get("Docker-Content-Digest")
        if said and said != digest:
            raise Damaged("push", str(self.remote), "the registry stored %s instead of %s" % (said, digest))
        return digest

    def tags(self) -> t.List[str]:
        """Sorted. Raises NotFound for a repository that is not there."""
        found: t.Set[str] = set()
        path: t.Optional[str] = "tags/list"
        for _page in range(_MOST_PAGES):
            raw, response = self._document(path or "", {})
            names = distribution.parse_document(raw, str(self.remote)).get("tags") or []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise Damaged("read", str(self.remote), "its tags are no list of text")
            found.update(names)
            more = _NEXT.match(response.headers.get("Link") or "")
            if not more:
                break
            path = "tags/list?" + urllib.parse.urlsplit(more.group(1)).query
        return sorted(found)

    def failure(self, op: str, subject: str, response: Response) -> CockerError:
        """What the registry says went wrong, in its own words as far as they are words. Call it before the answer is closed."""
        said = _said(response)
        if response.status == 404:
            return NotFound(op, subject, "the registry does not have it%s" % said)
        if response.status in (401, 403):
            return Denied(op, subject, "the registry refuses it%s" % said, hint="log in as one who may")
        return Unreachable(op, subject, "the registry answers %d%s" % (response.status, said))


def _said(response: Response) -> str:
    try:
        raw = response.read_document(_LARGEST_ERROR)
        first = json.loads(raw)["errors"][0]
        text = str(first.get("message") or first.get("code"))
    except (OSError, http.client.HTTPException, Damaged, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    return ": " + "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_MESSAGE])


def digest_of(raw: bytes, algorithm: str = "sha256") -> str:
    return "%s:%s" % (algorithm, hashlib.new(algorithm, raw).hexdigest())

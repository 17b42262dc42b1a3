# SPDX-License-Identifier: BSD-2-Clause
"""Blobs of a repository: fetched with their digests verified on the way and resumed where they are cut off; looked for, mounted, uploaded.

Not here: what is in them.
"""
from __future__ import annotations

import hashlib
import http.client
import re
import typing as t
import urllib.parse

from ansible_collections.cocker.engine.plugins.module_utils.kernel import progress
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Denied, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import PULL, PUSH, Client
from ansible_collections.cocker.engine.plugins.module_utils.registry.transport import (
    ATTEMPTS,
    Response,
    joined,
    may_pass,
    origin_of,
    unreachable,
)

_CHUNK = 1 << 20
_SHORT = 12     # digits of a digest that people read
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)\Z")

Source = t.Callable[[], t.Iterable[bytes]]


def pieces(client: Client, blob: Descriptor) -> t.Iterator[bytes]:
    """Every byte once, in order; worth nothing unless it comes to its end. Raises Damaged, NotFound, Denied, Unreachable."""
    algorithm, _colon, digits = blob.digest.partition(":")
    found, have, failures = hashlib.new(algorithm), 0, 0
    while True:
        start = have
        try:
            with _open(client, blob, have) as response:
                for piece in _pieces(response, blob, have):
                    found.update(piece)
                    have += len(piece)
                    progress.tell(digits[:_SHORT], have, blob.size)
                    yield piece
            break
        except (OSError, http.client.HTTPException) as error:
            failures = 1 if have > start else failures + 1      # one that gets on is not given up
            if failures >= ATTEMPTS or not may_pass(error):
                raise unreachable("GET", client.url("blobs/" + blob.digest), error) from error
            client.transport.pause(failures - 1)
    if have != blob.size or found.hexdigest() != digits:
        raise Damaged("fetch", blob.digest, "the registry sent another content, %d bytes with digest %s" % (have, found.hexdigest()))


def _open(client: Client, blob: Descriptor, have: int) -> Response:
    headers = {"Range": "bytes=%d-" % have} if have else {}
    response = client.ask("GET", client.url("blobs/" + blob.digest), scope=client.scope(PULL), headers=headers)
    if response.status not in (200, 206):
        with response:
            raise client.failure("fetch", blob.digest, response)
    return response


def _pieces(response: Response, blob: Descriptor, have: int) -> t.Iterator[bytes]:
    """From `have` on, also where the server begins anew. Raises Damaged as soon as there is more than the manifest says."""
    skip = have
    if response.status == 206:
        place = _RANGE.match(response.headers.get("Content-Range") or "")
        if not place or int(place.group(1)) != have:
            raise Damaged("fetch", blob.digest, "the registry sent another part than the one that was asked for")
        skip = 0
    while True:
        piece = response.read(_CHUNK)
        if not piece:
            return
        rest, skip = piece[skip:], max(0, skip - len(piece))
        have += len(rest)
        if have > blob.size:
            raise Damaged("fetch", blob.digest, "the registry sent more than the %d bytes that the manifest says" % blob.size)
        if rest:
            yield rest


def document(client: Client, blob: Descriptor, most: int) -> bytes:
    """A small one as a whole. Raises as pieces() does."""
    if blob.size > most:
        raise Damaged("fetch", blob.digest, "it is larger than %d bytes" % most)
    return b"".join(pieces(client, blob))


def is_there(client: Client, digest: str, *, to_push: bool = True) -> bool:
    with client.ask("HEAD", client.url("blobs/" + digest), scope=client.scope(PUSH if to_push else PULL)) as response:
        if response.status in (200, 404):
            return response.status == 200
        raise client.failure("look for", digest, response)


def first_bytes(client: Client, digest: str, count: int) -> bytes:
    """Enough to tell how it is compressed. Not verified."""
    headers = {"Range": "bytes=0-%d" % (count - 1)}
    with client.ask("GET", client.url("blobs/" + digest), scope=client.scope(PULL), headers=headers) as response:
        if response.status not in (200, 206):
            raise client.failure("fetch", digest, response)
        return response.read(count)


def mount(client: Client, digest: str, source: str) -> bool:
    """Whether the registry took the blob over from another repository of its own. If it did not, nothing has happened."""
    url = client.url("blobs/uploads/?" + urllib.parse.urlencode({"mount": digest, "from": source}))
    scope = "%s %s" % (client.scope(PUSH), client.scope(PULL, source))
    try:
        with client.ask("POST", url, scope=scope, headers={"Content-Length": "0"}) as response:
            place = response.headers.get("Location")
    except Denied:      # we may not read it there
        return False
    if response.status == 202 and place:        # an upload was begun instead
        with client.ask("DELETE", joined(response.url, place), scope=client.scope(PUSH)):
            pass
    return response.status == 201


def upload(client: Client, blob: Descriptor, source: Source) -> None:
    """In one piece; begun anew where it was cut off, so `source` must give the same bytes each time. Raises Denied, Unreachable."""
    for attempt in range(ATTEMPTS):
        is_last = attempt == ATTEMPTS - 1
        try:
            response = _upload(client, blob, source)
        except Unreachable as error:
            if is_last or not isinstance(error.__cause__, (OSError, http.client.HTTPException)) or not may_pass(error.__cause__):
                raise
        else:
            with response:
                if response.status in (201, 204):
                    return
                if is_last or response.status not in (404, 416, 429, 500, 502, 503, 504):     # 404: the session is gone
                    raise client.failure("push", blob.digest, response)
        client.transport.pause(attempt)


def _upload(client: Client, blob: Descriptor, source: Source) -> Response:
    scope, url = client.scope(PUSH), client.url("blobs/uploads/")
    with client.ask("POST", url, scope=scope, headers={"Content-Length": "0"}) as begun:
        place = begun.headers.get("Location")
        if begun.status != 202 or not place:
            raise client.failure("push", blob.digest, begun)
    target = joined(begun.url, place)
    if client.origin.scheme == "https" and origin_of(target).scheme != "https":
        raise Damaged("push", blob.digest, "the registry wants it to be sent without TLS, to %s" % origin_of(target))
    target += ("&" if urllib.parse.urlsplit(target).query else "?") + urllib.parse.urlencode({"digest": blob.digest})
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
    name = blob.digest.partition(":")[2][:_SHORT]
    return client.ask("PUT", target, scope=scope, headers=headers, body=lambda: progress.counted(name, blob.size, source()), attempts=1)

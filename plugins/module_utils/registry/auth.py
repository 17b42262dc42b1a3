# SPDX-License-Identifier: BSD-2-Clause
"""Who we are to a registry: nobody, a user with a password, or the bearer of a token that the registry's own realm gave us.

A challenge counts only if the registry itself sent it, so a redirect or a layer's address cannot send a password anywhere.
Not here: where credentials are kept (authfile.py).
"""
from __future__ import annotations

import http.client
import re
import threading
import typing as t
import urllib.parse

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Denied, Unreachable
from ansible_collections.cocker.engine.plugins.module_utils.registry.credentials import Credentials
from ansible_collections.cocker.engine.plugins.module_utils.registry.transport import Origin, Transport, origin_of, unreachable

_HINT = "log in with cocker login or cocker_login"
_LARGEST_ANSWER = 1 << 20
_LONGEST_TOKEN = 64 << 10
_PAIR = re.compile(r'\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")


class Challenge(t.NamedTuple):
    scheme: str
    values: t.Mapping[str, str]


def parse_challenge(header: str) -> t.Optional[Challenge]:
    """The first of WWW-Authenticate that we can answer (RFC 7235)."""
    for found in re.finditer(r"(?:^|,\s*|\s)(basic|bearer)(?=\s|$)", header, re.IGNORECASE):
        values, at = {}, found.end()
        pair = _PAIR.match(header, at)
        while pair:
            values[pair.group(1).lower()] = re.sub(r"\\(.)", r"\1", pair.group(2)) if pair.group(2) is not None else pair.group(3)
            pair = _PAIR.match(header, pair.end())
        return Challenge(found.group(1).lower(), values)
    return None


class Authorizer:
    """One registry's `Authorization` headers, by scope. Safe to use from several threads."""

    def __init__(self, registry: Origin, transport: Transport, credentials: t.Optional[Credentials]) -> None:
        self._registry = registry
        self._transport = transport
        self._credentials = credentials
        self._headers: t.Dict[str, str] = {}
        self._lock = threading.Lock()

    def header(self, url: str, scope: str) -> t.Optional[str]:
        """Nothing for any other origin than the registry's."""
        return self._headers.get(scope) if origin_of(url) == self._registry else None

    def answer(self, challenges: t.Sequence[str], *, scope: str, used: t.Optional[str]) -> None:
        """After a 401 of the registry itself to a request with the header `used`. Raises Denied where there is nothing new to say."""
        challenge = next((found for found in map(parse_challenge, challenges) if found), None)
        if challenge is None:
            raise Denied("log in to", str(self._registry), "it asks for something else than a password or a token")
        with self._lock:
            if self._headers.get(scope) != used:
                return          # another thread has been here
            fresh = self._basic() if challenge.scheme == "basic" else "Bearer " + self._token(challenge, scope)
            if fresh == used:
                raise self.refusal()
            self._headers[scope] = fresh

    def refusal(self) -> Denied:
        """What to say when it is still 401 after all that we could answer."""
        if self._credentials is None:
            return Denied("log in to", str(self._registry), "nobody may do this without a password", hint=_HINT)
        return Denied("log in to", str(self._registry), "user %s with this password may not do this" % self._user())

    def _user(self) -> str:
        return self._credentials.username if self._credentials else "(nobody)"

    def _basic(self) -> str:
        if self._credentials is None:
            raise Denied("log in to", str(self._registry), "it wants a user and a password", hint=_HINT)
        return self._credentials.basic()

    def _token(self, challenge: Challenge, scope: str) -> str:
        realm = challenge.values.get("realm", "")
        origin = origin_of(realm)
        if self._registry.scheme == "https" and origin.scheme != "https":
            raise Damaged("log in to", str(self._registry), "it wants the password to be sent without TLS, to %s" % origin)
        scopes = (scope or challenge.values.get("scope", "")).split()
        asked = [("service", challenge.values.get("service", "")), *(("scope", each) for each in scopes)]
        query = urllib.parse.urlencode([(key, value) for key, value in asked if value])
        url = realm + ("&" if urllib.parse.urlsplit(realm).query else "?") + query
        headers = {"Authorization": self._credentials.basic()} if self._credentials else {}
        try:
            with self._transport.request("GET", url, headers=headers) as response:
                raw = response.read_document(_LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable("GET", url, error) from error
        if response.status in (401, 403):
            raise Denied("log in to", str(self._registry), "%s gives user %s no token" % (origin, self._user()))
        if response.status != 200:
            raise Unreachable("log in to", str(self._registry), "%s answers %d" % (origin, response.status))
        return _token_of(raw, str(origin))


def _token_of(raw: bytes, subject: str) -> str:
    value = distribution.parse_document(raw, subject)
    token = value.get("token") or value.get("access_token")
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or not _TOKEN.match(token):
        raise Damaged("read", subject, "its answer holds no token")
    return token

# SPDX-License-Identifier: BSD-2-Clause
"""HTTP requests that end: TLS, kept connections, redirects, retries with back-off, and a deadline for each.

Safe to use from several threads. Not here: who we are (auth.py), and what is asked for (client.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import http.client
import math
import socket
import ssl
import time
import typing as t
import urllib.parse

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Invalid, Unreachable

Headers = t.Mapping[str, str]
Body = t.Union[None, bytes, t.Callable[[], t.Iterable[bytes]]]      # the callable begins anew for each attempt

ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_PORTS = {"https": 443, "http": 80}
_SLOWEST = 1 << 10          # bytes a second, on average since the answer began, once the timeout has passed
_SHORT = 64 << 10
_AGENT = "cocker.engine"


@dataclasses.dataclass(frozen=True)
class Origin:
    """Who is talked to. What is meant for one origin is never sent to another."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return "%s://%s:%d" % (self.scheme, self.host, self.port)


def origin_of(url: str) -> Origin:
    """Raises Damaged for what is no http URL; user and password in it count as such."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Damaged("follow", repr(url), str(error)) from error
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        raise Damaged("follow", repr(url), "it is no http or https URL")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise Damaged("follow", repr(url), "it holds blanks or control characters")
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme])


def joined(url: str, location: str) -> str:
    """Where a Location leads from here. Raises Damaged."""
    try:
        return urllib.parse.urljoin(url, location)
    except ValueError as error:
        raise Damaged("follow", repr(location), str(error)) from error


class Response:
    """An answer whose body is not read yet. Use it in a `with`: at its end the connection is kept for the next request, or closed."""

    def __init__(self, url: str, answer: http.client.HTTPResponse, *, timeout: float, leave: t.Callable[[bool], None]) -> None:
        self.url = url
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._timeout = timeout
        self._leave = leave
        self._began = time.monotonic()
        self._bytes = 0

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_exc: object) -> None:
        """A rest that is short is read, as that is quicker than a new connection."""
        rest = self._answer.length
        if not self._answer.isclosed() and rest is not None and rest <= _SHORT:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._answer.read()
        is_done = self._answer.isclosed() and not self._answer.length
        self._answer.close()
        self._leave(is_done)

    def read(self, most: int) -> bytes:
        """At most so much, empty at the end. Raises OSError or HTTPException for a body that is cut off or dribbles."""
        data = self._answer.read1(most)
        self._bytes += len(data)
        passed = time.monotonic() - self._began
        if passed > self._timeout and self._bytes < _SLOWEST * passed:
            raise TimeoutError("%d bytes came in %d seconds" % (self._bytes, passed))
        left = self._answer.length
        if not data and left:
            raise http.client.IncompleteRead(b"", left)
        return data

    def read_document(self, most: int) -> bytes:
        """The whole body, which must not be larger. Raises Damaged."""
        data = b""
        piece = self.read(most + 1)
        while piece:
            data += piece
            if len(data) > most:
                raise Damaged("read", self.url, "the answer is larger than %d bytes" % most)
            piece = self.read(most + 1 - len(data))
        return data


class Transport:
    """`timeout`: seconds without an answer, or at less than a crawl, after which an attempt has failed."""

    def __init__(
        self, *, ca_path: t.Optional[str] = None, validate_certs: bool = True, timeout: float = 60.0,
        sleep: t.Callable[[float], object] = time.sleep,
    ) -> None:
        self._tls = (ca_path, validate_certs)
        self._context = _tls(*self._tls) if ca_path else None       # reading all authorities of the host takes its time
        self._timeout = timeout
        self._sleep = sleep
        self._idle: t.Dict[Origin, t.List[http.client.HTTPConnection]] = {}

    def close(self) -> None:
        for connections in self._idle.values():
            while connections:
                connections.pop().close()

    def request(
        self, method: str, url: str, *, headers: t.Optional[Headers] = None, body: Body = None, attempts: int = ATTEMPTS,
    ) -> Response:
        """Tried again while that may help; then the last answer, whatever its status. GET and HEAD follow redirects. Raises Unreachable."""
        for attempt in range(attempts):
            is_last = attempt == attempts - 1
            try:
                response = self._follow(method, url, dict(headers or {}), body)
            except (OSError, http.client.HTTPException) as error:
                if is_last or not may_pass(error):
                    raise unreachable(method, url, error) from error
                self.pause(attempt)
                continue
            if response.status not in _AGAIN or is_last:
                return response
            wait = response.headers.get("Retry-After", "")
            with response:
                pass
            self.pause(attempt, float(wait) if wait.isascii() and wait.isdigit() else 0.0)
        raise CockerError("ask", url, "no attempt was made")

    def pause(self, attempt: int, wanted: float = 0.0) -> None:
        """Twice as long each time; as long as the server asks for, within reason."""
        self._sleep(min(max(_FIRST_PAUSE * math.pow(2, attempt), wanted), _LONGEST_PAUSE))

    def _follow(self, method: str, url: str, headers: t.Dict[str, str], body: Body) -> Response:
        """Credentials stay with the origin that they are for; from https there is no way to http."""
        for _hop in range(_MOST_REDIRECTS):
            response = self._send(method, url, headers, body)
            location = response.headers.get("Location")
            if method not in ("GET", "HEAD") or response.status not in _REDIRECTS or not location:
                return response
            with response:
                target = joined(url, location)
            here, there = origin_of(url), origin_of(target)
            if here.scheme == "https" and there.scheme != "https":
                raise Damaged("follow", target, "%s redirects from https to http" % here)
            if here != there:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            url = target
        raise Damaged("follow", url, "it redirects more than %d times" % _MOST_REDIRECTS)

    def _send(self, method: str, url: str, headers: Headers, body: Body) -> Response:
        origin = origin_of(url)
        kept = self._idle.setdefault(origin, [])
        while kept and body is None:
            try:
                connection = kept.pop()
            except IndexError:      # another thread was quicker
                break
            try:
                return self._exchange(connection, method, url, headers, None)
            except (OSError, http.client.HTTPException):
                connection.close()  # the server was tired of waiting; a new connection tells whether it is more than that
        connection = self._connect(origin)
        try:
            return self._exchange(connection, method, url, headers, body)
        except BaseException:
            connection.close()
            raise

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        if origin.scheme == "https":
            self._context = self._context or _tls(*self._tls)
            return http.client.HTTPSConnection(origin.host, origin.port, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(origin.host, origin.port, timeout=self._timeout)

    def _exchange(self, connection: http.client.HTTPConnection, method: str, url: str, headers: Headers, body: Body) -> Response:
        parts = urllib.parse.urlsplit(url)
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        content = body() if callable(body) else body
        connection.request(method, target, body=content, headers={"User-Agent": _AGENT, **headers})
        answer = connection.getresponse()

        def leave(is_done: bool) -> None:
            if is_done and connection.sock is not None:
                self._idle.setdefault(origin_of(url), []).append(connection)
            else:
                connection.close()

        return Response(url, answer, timeout=self._timeout, leave=leave)


def may_pass(error: BaseException) -> bool:
    """Whether trying again is of use: a wrong certificate stays wrong, and so does a name that nobody knows."""
    return not isinstance(error, (ssl.SSLError, socket.gaierror)) or isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))


def unreachable(method: str, url: str, error: BaseException) -> Unreachable:
    reason, hint = str(error) or type(error).__name__, ""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, hint = "its certificate is not trusted: %s" % error.verify_message, "name its authority in ca_path"
    elif isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        reason, hint = "it does not speak TLS", "plain_http (--plain-http) if that is meant to be"
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    return Unreachable("ask", str(origin_of(url)), "%s %s: %s" % (method, urllib.parse.urlsplit(url).path, reason), hint=hint)


def _tls(ca_path: t.Optional[str], validate_certs: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_path)
    except OSError as error:
        is_ssl = isinstance(error, ssl.SSLError)
        raise Invalid("ca_path", "%s: %s" % (ca_path, "it holds no certificates in PEM form" if is_ssl else error.strerror)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

# SPDX-License-Identifier: BSD-2-Clause
"""The OpenSSH client as a transport: one process, two pipes, no questions asked, host keys always checked.

Not here: what is said over it (sftp.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import tempfile
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Denied, Unreachable, Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Reach

_SUBSYSTEM = "sftp"
_ALIAS = "cocker-repository"        # what the server is called in a file of known hosts that holds its key only
_END_TIMEOUT = 2.0
_CHUNK = 1 << 18
_LARGEST_SAID = 8 << 10
_SEARCH = "/usr/bin:/bin:/usr/local/bin"
# What ssh says on stderr, what it means.
_MEANINGS: t.Tuple[t.Tuple[str, t.Type[CockerError], str], ...] = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Denied, "the server has another host key than the one that is known"),
    ("Host key verification failed", Denied, "the server's host key is not known, or another one is"),
    ("Permission denied", Denied, "the server takes none of the keys"),
    ("Too many authentication failures", Denied, "the server takes none of the keys"),
    ("subsystem request failed", Unsupported, "the server has no sftp for this user"),
)
_HINTS: t.Dict[t.Type[CockerError], str] = {Denied: "see repository_host_key, repository_known_hosts and repository_identity"}


class Channel:
    """Bytes to the server and back. Whatever fails says why, as ssh has said it. Raises Unreachable, Denied, Unsupported."""

    def __init__(self, address: Address, source: int, target: int, said: t.IO[bytes], timeout: float) -> None:
        self.address = address
        self._source, self._target, self._said, self._timeout = source, target, said, timeout
        self._have = bytearray()
        os.set_blocking(target, False)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if not _ready(self._target, select.POLLOUT, self._timeout):
                raise self._silence()
            try:
                view = view[os.write(self._target, view):]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._ended() from None

    def read(self, count: int) -> bytes:
        """Exactly so many."""
        while len(self._have) < count:
            if not _ready(self._source, select.POLLIN, self._timeout):
                raise self._silence()
            piece = os.read(self._source, _CHUNK)
            if not piece:
                raise self._ended()
            self._have += piece
        found = bytes(self._have[:count])
        del self._have[:count]
        return found

    def _silence(self) -> CockerError:
        return Unreachable("reach", str(self.address), "it was silent for %g seconds" % self._timeout)

    def _ended(self) -> CockerError:
        """ssh is about to exit, so what it had to say is said."""
        self._said.seek(0)
        text = self._said.read(_LARGEST_SAID).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("Warning:", "@"))]
        last = "".join(letter if letter.isprintable() else "?" for letter in lines[-1]) if lines else "the connection was cut"
        for words, kind, meaning in _MEANINGS:
            if words in text:
                return kind("reach", str(self.address), "%s: %s" % (meaning, last), hint=_HINTS.get(kind, ""))
        return Unreachable("reach", str(self.address), last)


def _ready(fd: int, event: int, timeout: float) -> bool:
    poller = select.poll()
    poller.register(fd, event)
    return bool(poller.poll(round(timeout * 1000)))


@contextlib.contextmanager
def connected(reach: Reach) -> t.Iterator[Channel]:
    """To the sftp subsystem; nothing is known of the server before something was read. Raises Unsupported."""
    if reach.address is None:
        raise CockerError("reach", "repository", "there is no address")
    program = shutil.which("ssh", path="%s:%s" % (os.environ.get("PATH", ""), _SEARCH))
    if program is None:
        raise Unsupported("reach", str(reach.address), "the host has no ssh program", hint="install the OpenSSH client")
    with contextlib.ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        known_hosts = stack.enter_context(_only_this_key(reach.host_key)) if reach.host_key else reach.known_hosts_path
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        try:
            actions = [(os.POSIX_SPAWN_DUP2, their_in, 0), (os.POSIX_SPAWN_DUP2, their_out, 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)]
            environment = {**os.environ, "LC_ALL": "C"}
            argv = [program, *arguments(reach, reach.address, known_hosts)]
            pid = os.posix_spawn(program, argv, environment, file_actions=actions, setsigdef=[signal.SIGPIPE])
        except BaseException:
            os.close(our_in)
            os.close(our_out)
            raise
        finally:
            os.close(their_in)
            os.close(their_out)
        stack.callback(_end, pid)
        stack.callback(os.close, our_in)
        stack.callback(os.close, our_out)
        yield Channel(reach.address, our_in, our_out, said, float(reach.timeout))


def arguments(reach: Reach, address: Address, known_hosts: t.Optional[str]) -> t.List[str]:
    """Of ssh(1). What only serves people at a terminal is off, whatever the host's ssh_config says."""
    options = {
        "BatchMode": "yes", "StrictHostKeyChecking": "yes", "UpdateHostKeys": "no", "ClearAllForwardings": "yes", "ForwardAgent": "no",
        "PermitLocalCommand": "no", "RequestTTY": "no", "RemoteCommand": "none", "ControlMaster": "no", "ControlPath": "none",
        "LogLevel": "ERROR", "ConnectTimeout": str(reach.timeout), "ServerAliveInterval": str(max(1, reach.timeout // 3)),
    }
    if known_hosts is not None:
        options.update(UserKnownHostsFile='"%s"' % known_hosts, GlobalKnownHostsFile="/dev/null")
    if reach.host_key is not None:
        options.update(HostKeyAlias=_ALIAS, HostKeyAlgorithms=_algorithms(reach.host_key), CheckHostIP="no")
    if reach.identity_path is not None:
        options.update(IdentityFile='"%s"' % reach.identity_path, IdentitiesOnly="yes", IdentityAgent="none")
    found = [word for name, value in options.items() for word in ("-o", "%s=%s" % (name, value))]
    found += ["-p", str(address.port)] if address.port else []
    found += ["-l", address.user] if address.user else []
    return ["-T", *found, "-s", "--", address.host, _SUBSYSTEM]


def _algorithms(key: str) -> str:
    """A key of RSA signs in newer ways than the one that it is named after."""
    kind = key.split()[0]
    return "rsa-sha2-512,rsa-sha2-256" if kind == "ssh-rsa" else kind


@contextlib.contextmanager
def _only_this_key(key: str) -> t.Iterator[str]:
    with tempfile.NamedTemporaryFile("w", prefix="cocker-known-", encoding="ascii") as file:
        file.write("%s %s\n" % (_ALIAS, key))
        file.flush()
        yield file.name


def _end(pid: int) -> None:
    """It ends as its pipes are closed; one that does not is killed."""
    if not poll.until(lambda: os.waitpid(pid, os.WNOHANG)[0], timeout=_END_TIMEOUT, interval=0.002):
        with tolerate(errno.ESRCH):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

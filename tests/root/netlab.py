# SPDX-License-Identifier: GPL-3.0-or-later
"""A network laboratory: namespaces that play a host and a client outside of it, with no way to anything else.

    with netlab.Lab() as lab:
        lab.run(bridge.ensure, network)                     # the function runs on the "host"; its result or exception comes back
        server = lab.spawn([sys.executable, "-c", SERVER], where="/run/netns/nnsXXX")
        lab.run(fetch, "192.0.2.1", 8080, where="outside")
        lab.call("nft", "list", "ruleset")                  # a command's output

The host has a mount namespace, too: /run is its own (so /run/netns, /run/cocker), and /sys shows its links; /sys/fs/cgroup is the
machine's. pytest itself never moves: what runs in the lab is a child, which pytest forks. When the lab is closed, or pytest dies, every
process that was spawned is killed and the namespaces are gone with all that is in them.

    outside 192.0.2.2/24 (wan0) ---- 192.0.2.1/24 and 192.0.2.11/24 (uplink0) host

The client outside has routes to 10.0.0.0/8 through the host, so that it can try to reach a container directly. ip_forward of the host is 0.
"""
from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import traceback
import typing as t

HOST_ADDRESS, HOST_OTHER_ADDRESS, OUTSIDE_ADDRESS = "192.0.2.1", "192.0.2.11", "192.0.2.2"
HOST, OUTSIDE = "host", "outside"

_CLONE_NEWNS, _CLONE_NEWNET, _PR_SET_PDEATHSIG = 0x00020000, 0x40000000, 1
_OUTSIDE_PIN = "/run/netlab.outside"
_libc = ctypes.CDLL(None, use_errno=True)

_IN_NEW_NAMESPACES = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 netlab /run
mkdir -p /run/netns /run/cgroup
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs netlab /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount -l /run/cgroup
rmdir /run/cgroup
echo 0 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
touch %(outside)s
unshare --net=%(outside)s true
ip link add uplink0 type veth peer name wan0
nsenter --net=%(outside)s sleep 60 & holder=$!
until [ /proc/$holder/ns/net -ef %(outside)s ]; do :; done
ip link set wan0 netns $holder
kill $holder
ip addr add 192.0.2.1/24 dev uplink0
ip addr add 192.0.2.11/24 dev uplink0
ip link set uplink0 up
nsenter --net=%(outside)s sh -ec '
    echo 0 > /proc/sys/net/ipv6/conf/wan0/accept_dad
    ip link set lo up
    ip addr add 192.0.2.2/24 dev wan0
    ip link set wan0 up
    ip route add 10.0.0.0/8 via 192.0.2.1'
""" % {"outside": _OUTSIDE_PIN}


class LabError(Exception):
    """The lab itself failed, or what ran in it died without a word."""


class Lab:
    def __init__(self) -> None:
        self._keeper = 0
        self._spawned: t.List[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Lab:
        ready, tell_ready = os.pipe()
        wait_for_end, self._end = os.pipe()
        self._keeper = os.fork()
        if not self._keeper:
            os.close(self._end)
            os.close(ready)
            _keep(tell_ready, wait_for_end)
        os.close(tell_ready)
        os.close(wait_for_end)
        with open(ready, "rb") as stream:
            answer = stream.read()
        if answer != b"ready":
            self.close()
            raise LabError("no lab: %s" % answer.decode(errors="replace"))
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        for process in list(self._spawned):
            self.end(process)
        if self._keeper:
            os.close(self._end)
            os.waitpid(self._keeper, 0)
            self._keeper = 0

    def run(self, function: t.Callable[..., t.Any], *args: t.Any, where: str = HOST, timeout: float = 60, **named: t.Any) -> t.Any:
        """The function's result, or its exception. Arguments travel by fork, the result has to be picklable."""
        read_end, write_end = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if not child:
            os.close(read_end)
            self._run_in_child(write_end, lambda: function(*args, **named), where)
        os.close(write_end)
        try:
            good, value, trace = pickle.loads(_message(read_end, child, timeout))
        finally:
            os.close(read_end)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if good:
            return value
        raise _revived(value, trace)

    def _run_in_child(self, pipe: int, function: t.Callable[[], t.Any], where: str) -> None:
        try:
            self.enter(where)
            answer = pickle.dumps((True, function(), ""))
        except BaseException as error:      # everything goes to the parent
            answer = pickle.dumps((False, _frozen(error), traceback.format_exc()))
        with open(pipe, "wb", closefd=False) as stream:
            stream.write(len(answer).to_bytes(8, "big") + answer)
        signal.pause()

    def spawn(self, argv: t.Sequence[str], where: str = HOST, **options: t.Any) -> subprocess.Popen[bytes]:
        """A process that the lab ends; `options` are those of Popen."""
        process = subprocess.Popen(list(argv), preexec_fn=lambda: self.enter(where), **options)
        self._spawned.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kills a process that was spawned; the end of the lab does it, too."""
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        self._spawned.remove(process)

    def call(self, *argv: str, where: str = HOST, check: bool = True) -> str:
        """What the command printed."""
        done = subprocess.run(argv, preexec_fn=lambda: self.enter(where), check=False, capture_output=True, text=True)
        if check and done.returncode:
            raise LabError("%s: %s" % (" ".join(argv), done.stderr.strip()))
        return done.stdout

    def enter(self, where: str = HOST) -> None:
        """Moves the calling process for good: for children only. `where` is host, outside or a pinned namespace's path in the lab."""
        _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        place = os.getcwd()
        for kind, flag in (("mnt", _CLONE_NEWNS), ("net", _CLONE_NEWNET)):
            _setns("/proc/%d/ns/%s" % (self._keeper, kind), flag)
        if where != HOST:
            _setns(_OUTSIDE_PIN if where == OUTSIDE else where, _CLONE_NEWNET)
        os.chdir(place)

    def snapshot(self) -> t.Dict[str, str]:
        """What must be the same again after a test: links, addresses, routes, rules, pins."""
        links = [line.split() for line in self.call("ip", "-br", "addr").splitlines()]
        return {
            "links": " ".join(sorted(words[0] for words in links)),
            "addresses": "\n".join(" ".join([words[0], *words[2:]]) for words in links),   # without the state, which comes later
            "routes": self.call("ip", "route", "show", "table", "all").replace(" linkdown", ""),
            "rules": self.call("nft", "list", "ruleset"),
            "pins": self.call("ls", "/run/netns"),
        }


def _keep(tell_ready: int, wait_for_end: int) -> None:
    """The process whose namespaces are the lab; it ends when its creator closes the lab or dies."""
    try:
        _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET))
        done = subprocess.run(["/bin/sh", "-ec", _IN_NEW_NAMESPACES], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.write(tell_ready, done.stdout if done.returncode else b"ready")
        os.close(tell_ready)
        os.read(wait_for_end, 1)
    except BaseException as error:
        os.write(2, repr(error).encode())
    finally:
        os._exit(0)


def _message(pipe: int, child: int, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    received = b""
    while len(received) < 8 or len(received) < 8 + int.from_bytes(received[:8], "big"):
        if select.select([pipe], [], [], 0.2)[0]:
            part = os.read(pipe, 1 << 20)
            if not part:
                raise LabError("the child died without an answer")
            received += part
        elif time.monotonic() > deadline:
            raise LabError("no answer in %d seconds" % timeout)
    return received[8:]


def _frozen(error: BaseException) -> t.Any:
    """An exception whose constructor does not take its args back cannot be pickled as it is."""
    try:
        return pickle.dumps((type(error), error.args, error.__dict__))
    except (pickle.PicklingError, TypeError, AttributeError):
        return pickle.dumps((LabError, ("%s: %s" % (type(error).__name__, error),), {}))


def _revived(frozen: bytes, trace: str) -> BaseException:
    kind, args, state = pickle.loads(frozen)
    error: BaseException = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    error.__cause__ = LabError("in the lab:\n" + trace)
    return error


def _setns(path: str, flag: int) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, flag))
    finally:
        os.close(fd)


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))

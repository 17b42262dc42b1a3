# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a container's output goes: files that can be read back, a journal, nowhere; changed while it runs."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import logs
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll

pytestmark = pytest.mark.root
JOURNALD = "/usr/lib/systemd/systemd-journald"
JOURNAL = "/run/systemd/journal/socket"

# Plays journald: prints each datagram in hexadecimal.
LISTENER = """
import os, socket
os.makedirs("/run/systemd/journal", exist_ok=True)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.path.exists("%(path)s"):
    os.unlink("%(path)s")
s.bind("%(path)s")
print("ready", flush=True)
while True:
    print(s.recv(1 << 20).hex(), flush=True)
""" % {"path": JOURNAL}


def read(engine, name="web", **said):
    return engine.lab.run(lambda: logs.read(open_host(engine.home, dry_run=True), name, **said))


def said(engine, count, **options):
    """The lines, when there are that many."""
    found = []

    def enough():
        found[:] = [line.content for line in read(engine, **options)]
        return len(found) >= count
    assert poll.until(enough, timeout=10), found
    return found


def ticking(text="tick"):
    return {"command": ("/bin/sh", "-c", "n=0; while :; do n=$((n+1)); echo %s $n; sleep 0.02; done" % text), "network_mode": "none"}


def decoded(datagram):
    """The fields of the native protocol's binary form."""
    fields, place = {}, 0
    while place < len(datagram):
        end = datagram.index(b"\n", place)
        size = int.from_bytes(datagram[end + 1:end + 9], "little")
        fields[datagram[place:end].decode()] = datagram[end + 9:end + 9 + size]
        place = end + 10 + size
    return fields


@pytest.fixture
def listener(engine):
    process = engine.lab.spawn([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield lambda: decoded(bytes.fromhex(process.stdout.readline().decode()))
    engine.lab.end(process)
    engine.lab.call("rm", "-rf", "/run/systemd")


def test_it_is_read_back_with_tail_since_and_by_stream(engine):
    engine.start(command=("/bin/sh", "-c", "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three"), network_mode="none")
    assert said(engine, 3) == [b"one\n", b"two\n", b"three\n"]
    found = read(engine)
    assert [line.stream for line in found] == ["stdout", "stderr", "stdout"]
    assert [line.content for line in read(engine, tail=1)] == [b"three\n"]
    assert read(engine, since=found[1].time) == found[1:]
    assert [line.content for line in read(engine, streams=("stderr",))] == [b"two\n"]


def test_sizes_and_files_change_while_it_runs(engine):
    engine.start(**ticking(), log_options={"max-size": "4096", "max-file": "4"})
    pid = engine.state("web")["Pid"]
    folder = os.path.join(engine.layout.container("web"), "logs")
    assert poll.until(lambda: len(os.listdir(folder)) == 4, timeout=20)
    outcome = engine.start(**ticking(), log_options={"max-size": "2048", "max-file": "2"})
    assert (outcome.plan["action"], outcome.plan["reasons"]) == ("update", ["log_options changed (update)"])
    assert poll.until(lambda: len(os.listdir(folder)) == 2, timeout=10)
    numbers = [int(line.split()[1]) for line in said(engine, 1)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))      # nothing in between is lost
    assert engine.state("web")["Pid"] == pid
    assert not engine.start(**ticking(), log_options={"max-size": "2048", "max-file": "2"}).changed
    assert engine.find("web")["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "2", "max-size": "2048"}}


def test_fewer_files_are_kept_of_a_container_that_is_silent_or_stopped(engine):
    talk = {"command": ("/bin/sh", "-c", "n=0; while [ $n -lt 200 ]; do n=$((n+1)); echo tick $n; done; exec sleep 1000"), "network_mode": "none"}
    engine.start(**talk, log_options={"max-size": "1024", "max-file": "5"})
    folder = os.path.join(engine.layout.container("web"), "logs")
    assert poll.until(lambda: read(engine)[-1:] and read(engine)[-1].content == b"tick 200\n", timeout=30)
    assert len(os.listdir(folder)) == 5
    assert engine.start(**talk, log_options={"max-size": "1024", "max-file": "3"}).plan["action"] == "update"
    assert sorted(os.listdir(folder)) == ["container.log", "container.log.1", "container.log.2"]
    engine.ensure("web", state="stopped")
    engine.ensure("web", state="present", log_options={"max-size": "1024", "max-file": "1"})
    assert os.listdir(folder) == ["container.log"] and read(engine)[-1].content == b"tick 200\n"


def test_the_driver_changes_while_it_runs(engine, listener):
    engine.start(**ticking())
    said(engine, 3)
    engine.start(**ticking(), log_driver="journald", log_options={"tag": "mine"})
    first = listener()
    assert (first["CONTAINER_NAME"], first["CONTAINER_TAG"], first["SYSLOG_IDENTIFIER"]) == (b"web", b"mine", b"mine")
    kept = read(engine)[-1].content
    assert int(first["MESSAGE"].split()[1]) == int(kept.split()[1]) + 1
    engine.start(**ticking(), log_driver="none")
    time.sleep(0.2)
    assert read(engine)[-1].content == kept
    engine.start(**ticking())
    assert poll.until(lambda: read(engine)[-1].content != kept, timeout=5)


def test_a_journal_gets_every_byte_with_the_fields_that_docker_sends(engine, listener):
    script = r"printf 'a\0\377b\n'; sleep 0.1; echo error >&2; sleep 0.1; head -c 20000 /dev/zero | tr '\0' x; echo"
    engine.start(command=("/bin/sh", "-c", script), network_mode="none", log_driver="journald")
    found = [listener() for _number in range(4)]
    shown = engine.find("web")
    assert [entry["MESSAGE"] for entry in found] == [b"a\0\xffb", b"error", b"x" * 16384, b"x" * 3616]
    assert [entry["PRIORITY"] for entry in found] == [b"6", b"3", b"6", b"6"]
    assert [entry.get("CONTAINER_PARTIAL_MESSAGE") for entry in found] == [None, None, b"true", None]
    assert found[0]["CONTAINER_ID_FULL"].decode() == shown["Id"] and found[0]["IMAGE_NAME"] == b"box:1"
    assert os.listdir(os.path.join(engine.layout.container("web"), "logs")) == []


def test_a_journal_that_is_restarted_is_found_again(engine):
    first = engine.lab.spawn([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE)
    first.stdout.readline()
    engine.start(**ticking(), log_driver="journald")
    assert first.stdout.readline()
    engine.lab.end(first)
    second = engine.lab.spawn([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE)
    second.stdout.readline()
    assert decoded(bytes.fromhex(second.stdout.readline().decode()))["MESSAGE"].startswith(b"tick")
    engine.lab.end(second)
    assert engine.state("web")["Running"]
    engine.ensure("web", state="absent")
    engine.lab.call("rm", "-rf", "/run/systemd")


def test_without_a_journal_it_is_refused_before_anything_is_made(engine):
    with pytest.raises(Exception, match="log_driver: this host has no journal"):
        engine.start(log_driver="journald")
    assert engine.find("web") is None


@pytest.mark.skipif(not os.path.exists(JOURNALD) or not shutil.which("journalctl"), reason="needs systemd-journald")
def test_the_real_journald_takes_it(engine):
    journald = engine.lab.spawn([JOURNALD], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not poll.until(lambda: engine.lab.call("sh", "-c", "test -S %s && echo yes; true" % JOURNAL).strip() == "yes", timeout=5):
            pytest.skip("systemd-journald does not run here")
        engine.start(command=("/bin/sh", "-c", "echo to the journal"), network_mode="none", log_driver="journald")

        def entries():
            return engine.lab.call("journalctl", "-D", "/run/log/journal", "-o", "cat", "CONTAINER_NAME=web", check=False)
        assert poll.until(lambda: "to the journal" in entries(), timeout=10), entries()
    finally:
        engine.lab.end(journald)
        engine.lab.call("rm", "-rf", "/run/systemd", "/run/log")

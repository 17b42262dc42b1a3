# SPDX-License-Identifier: GPL-3.0-or-later
"""Several controllers at once, and a controller that only asks: one result, unique addresses, no deadlock, nothing changed."""
from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

# System calls that change something beyond the process itself; opening for reading is sorted out by its flags.
CHANGING = ("mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat,chmod,fchmod,fchmodat,"
            "chown,fchown,lchown,fchownat,truncate,ftruncate,utimensat,setxattr,lsetxattr,fsetxattr,mount,umount2,move_mount,fsopen,open_tree,"
            "mount_setattr,pivot_root,unshare,setns,clone,clone3,fork,vfork,execve,kill,tgkill,tkill,pidfd_send_signal,bpf,sethostname,socket,"
            "open,openat,openat2,creat,flock")
ASK = """
import pickle, sys
sys.path[:0] = [{tree!r}]
from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
wish = pickle.loads(bytes.fromhex({wish!r}))
open('/dev/null').close()
try:
    print(containers.ensure(open_host({home!r}, dry_run=True), wish).changed)
except Exception as error:
    print(type(error).__name__)
"""


def at_once(calls):
    """Each in a process of its own; results and exceptions in their order."""
    results = [None] * len(calls)

    def run(index):
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error
    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_name_at_once_is_one_container(engine):
    said = {"mounts": (Mount("volume", "data", "/data"),), "published_ports": ["18080:8080"]}
    results = at_once([lambda: engine.start(**said)] * 8)
    assert [result.changed for result in results].count(True) == 1, results
    assert len({result.result["container"]["Id"] for result in results}) == 1


def test_many_names_at_once_have_addresses_and_ports_of_their_own(engine):
    engine.network("web0", subnet="10.66.1.0/24")
    names = ["web%d" % number for number in range(8)]
    results = at_once([
        lambda name=name: engine.start(name, networks=(Attachment("web0"),), published_ports=["80"], mounts=(Mount("volume", "data", "/data"),))
        for name in names])
    shown = [result.result["container"]["NetworkSettings"] for result in results]
    assert len({each["IPAddress"] for each in shown}) == 8
    assert len({each["Ports"]["80/tcp"][0]["HostPort"] for each in shown}) == 8
    gone = at_once([lambda name=name: engine.ensure(name, state="absent") for name in names])
    assert all(result.changed for result in gone), gone


def test_one_port_wanted_twice_at_once_is_given_once(engine):
    results = at_once([lambda name=name: engine.start(name, published_ports=["18080:80"]) for name in ("a", "b", "c", "d")])
    failed = [result for result in results if isinstance(result, Exception)]
    assert len(failed) == 3 and all("published_ports" in str(error) for error in failed), results
    assert len(engine.layout.container_names()) == 1


def test_everything_at_once_neither_hangs_nor_leaks(engine):
    engine.network("web0", subnet="10.66.1.0/28")

    def churn(name):
        for _round in range(3):
            engine.start(name, networks=(Attachment("web0"),))
            engine.start(name, networks=(Attachment("web0"),), env={"A": "1"})
            engine.ensure(name, state="absent")
    results = at_once([lambda name=name: churn(name) for name in ("a", "b", "c")] + [lambda: churn("c")])
    assert [result for result in results if isinstance(result, Exception)] == []


def traced(engine, tmp_path, **said):
    """The changing system calls of a dry run, and what it said."""
    import pickle

    script = tmp_path / "ask.py"
    script.write_text(ASK.format(tree=enginelab.TREE, wish=pickle.dumps(enginelab.wish("web", **said)).hex(), home=engine.home))
    log = tmp_path / "strace"
    answer = engine.lab.call("strace", "-f", "-o", str(log), "-e", "trace=" + CHANGING, sys.executable, "-B", str(script))
    lines = log.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if '"/dev/null"' in line)
    return answer.strip(), [line for line in lines[start + 1:] if changes(line)]


def changes(line):
    call = line.split(None, 1)[1]
    if call.startswith(("open(", "openat(", "openat2(")):
        return any(flag in call for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"))
    asks = call.startswith("socket(AF_NETLINK")     # who listens on a port, whether our rules are still there
    return not asks and not call.startswith(("---", "+++"))


def content(top):
    return {path: (os.lstat(os.path.join(top, path)).st_mtime_ns, os.lstat(os.path.join(top, path)).st_ctime_ns) for path in enginelab.tree(top)}


def test_a_dry_run_changes_nothing(engine, tmp_path):
    said = {"images": ("box",), "command": enginelab.SLEEP, "published_ports": ["18080:80", "81"], "memory": 64 << 20,
            "mounts": (Mount("volume", "data", "/data"),)}
    questions = [dict(said), dict(said, env={"A": "1"}), dict(said, memory=32 << 20), dict(said, images=("box", "top")),
                 dict(said, restart=True), dict(said, recreate=True), dict(said, state="stopped"), dict(said, published_ports=[])]
    for running in (False, True):
        if running:
            engine.start(**{key: value for key, value in said.items() if key not in ("images", "command")})
        before = content(engine.home)
        for question in questions if running else questions[:1]:
            answer, calls = traced(engine, tmp_path, **question)
            assert calls == [], question
            assert answer == ("False" if running and question == said else "True")
        assert traced(engine, tmp_path, state="absent") == (str(running), [])
        assert content(engine.home) == before


def test_a_dry_run_without_a_store_makes_none(engine, tmp_path):
    nowhere = enginelab.Engine(engine.lab, str(tmp_path / "nowhere"))
    assert traced(nowhere, tmp_path, images=("box",)) == ("NotFound", [])
    assert traced(nowhere, tmp_path, state="absent") == ("False", [])
    assert not os.path.exists(nowhere.home)


def test_an_engine_that_was_installed_half_is_completed(engine):
    engines = engine.layout.engine
    installed = [name for name in os.listdir(engines) if name != "seccomp" and not name.startswith(".")]
    assert [name for name in installed if "." in name] == []
    subprocess.run(["rm", "-rf", *(os.path.join(engines, name) for name in installed)], check=True)
    for point in ("engine.bundle._write", "engine.bundle._install", "engine.bundle._compile"):
        for after in (False, True):
            with pytest.raises(Exception, match="died"):
                engine.start("web", network_mode="none", before=enginelab.dying(point, after=after))
    results = at_once([lambda number=number: engine.start("y%d" % number, network_mode="none") for number in range(4)])
    assert [str(result) for result in results if isinstance(result, Exception)] == []
    assert [name for name in os.listdir(engines) if "." in name and not name.startswith(".known-")] == []

# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option of a container: it has its effect, a second run finds nothing to do, a change costs what it must, dropped it is gone."""
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment, Device, DeviceRate, Ulimit
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


def limit(engine, name):
    """A file of the container's cgroup, v1 or v2, as a number or text."""
    groups = engine.find("web")["Cocker"]["Cgroups"]
    for path in sorted(set(groups.values())):
        for each in name.split("|"):
            if os.path.exists(os.path.join(path, each)):
                with open(os.path.join(path, each)) as file:
                    return file.read().strip()
    raise AssertionError("no %s in %s" % (name, groups))


DISK = sorted("/dev/" + name for name in os.listdir("/sys/block") if os.path.exists("/dev/" + name))[-1]
with open("/proc/sys/vm/swappiness") as setting:
    SWAPPINESS = setting.read().strip()
MEMORY, PIDS, QUOTA = "memory.limit_in_bytes|memory.max", "pids.max", "cpu.cfs_quota_us|cpu.max"
SHARES, CPUS = "cpu.shares|cpu.weight", "cpuset.cpus"
BIG = ("9223372036854771712", "max")


def inside(script):
    return lambda engine: engine.read("web", script).strip()


def cgroup(name):
    return lambda engine: limit(engine, name)


def throttle(v1, v2):
    """What is in force for DISK."""
    def look(engine):
        text = limit(engine, "blkio.throttle.%s_device|io.max" % v1)
        words = [word.partition("=")[2] if "=" in word else word for line in text.splitlines() for word in line.split()[1:]
                 if "=" not in word or word.startswith(v2)]
        return [int(word) for word in words if word != "max"][0] if [word for word in words if word != "max"] else None
    return look


def allowed(rule):
    def look(engine):
        groups = engine.find("web")["Cocker"]["Cgroups"]
        if "devices" not in groups:     # a program of cgroup v2 does not show its rules
            return None
        with open(groups["devices"] + "/devices.list") as file:
            return rule in file.read().splitlines()
    return look


def same_space(engine, kind):
    pid = engine.state("web")["Pid"]
    return engine.lab.run(lambda: os.readlink("/proc/%d/ns/%s" % (pid, kind)) == os.readlink("/proc/self/ns/%s" % kind))


def mine(network="cocker0"):
    return lambda engine: engine.find("web")["NetworkSettings"]["Networks"].get(network, {}).get("IPAddress")


@pytest.mark.parametrize(("given", "error"), [
    ({}, Unsupported), ({"user": "web"}, Invalid), ({"cgroupns_mode": "host"}, Invalid), ({"userns_mode": "auto"}, Unsupported)])
def test_an_init_system_is_refused_where_it_cannot_work(engine, given, error):
    if not given and engine.run(lambda _host: cgroupfs.layout().mode) == "v2":
        pytest.skip("here it can")
    with pytest.raises(error, match="init"):
        engine.ensure("web", images=("box",), init="systemd", **given)
    assert engine.find("web") is None


# option, a value, how to see it, what is seen; another value and what is seen then; the cost; what is seen without the option
OPTIONS = [
    ("command", ("/bin/sleep", "777"), inside("tr '\\0' ' ' < /proc/1/cmdline"), "/bin/sleep 777", ("/bin/sleep", "778"),
     "/bin/sleep 778", "restart", "cocker:web"),
    ("entrypoint", ("/bin/env", "E=1"), inside("tr '\\0' '\\n' < /proc/1/environ | grep ^E; true"), "E=1", ("/bin/env", "E=2"), "E=2",
     "restart", ""),
    ("init", True, inside("cat /proc/1/comm"), "cocker-init", False, "sleep", "restart", "sleep"),
    ("env", {"A": "1", "FROM": None}, inside("echo $A $FROM"), "1", {"A": "2"}, "2 image", "restart", "image"),
    ("user", "web", inside("grep -E '^(Uid|Groups)' /proc/1/status | tr '\\t\\n' '  '"), "Uid: 1000 1000 1000 1000 Groups: 2000",
     "1000:7", "Uid: 1000 1000 1000 1000 Groups:", "restart", "Uid: 0 0 0 0 Groups:"),
    ("working_dir", "/www", inside("readlink /proc/1/cwd"), "/www", "/made/anew", "/made/anew", "restart", "/"),
    ("hostname", "mine.example", inside("hostname; cat /etc/hostname; grep -c mine.example /etc/hosts; true"),
     "mine.example\nmine.example\n1", "web", "web\nweb\n0", "restart", "web\nweb\n0"),
    ("network_mode", "none", inside("ls /sys/class/net"), "lo", "bridge", "eth0\nlo", "restart", "eth0\nlo"),
    ("published_ports", ["18080:8080"], lambda engine: sorted(engine.find("web")["NetworkSettings"]["Ports"]), ["8080/tcp"],
     ["18080-18082:8080-8082", "5353:53/udp"], ["53/udp", "8080/tcp", "8081/tcp", "8082/tcp"], "update", []),
    ("memory", 64 << 20, cgroup(MEMORY), str(64 << 20), 32 << 20, str(32 << 20), "update", BIG),
    ("nano_cpus", 500000000, cgroup(QUOTA), ("50000", "50000 100000"), 10 ** 9, ("100000", "100000 100000"), "update",
     ("-1", "max 100000")),
    ("cpuset_cpus", "0", cgroup(CPUS), "0", "0-1", "0-1", "update", ("0-%d" % ((os.cpu_count() or 1) - 1), "")),
    ("cpu_shares", 512, cgroup(SHARES), ("512", "20"), 2048, ("2048", "79"), "update", ("1024", "100")),
    ("pids_limit", 50, cgroup(PIDS), "50", 60, "60", "update", "max"),
    ("memory_reservation", 32 << 20, cgroup("memory.soft_limit_in_bytes|memory.low"), str(32 << 20), 16 << 20, str(16 << 20), "update",
     ("9223372036854771712", "0")),
    ("memory_swappiness", 0, cgroup("memory.swappiness"), "0", 70, "70", "update", SWAPPINESS),
    ("oom_killer", True, lambda engine: limit(engine, "memory.oom_control").split()[1], "1", False, "0", "update", "0"),
    ("oom_score_adj", 300, inside("cat /proc/1/oom_score_adj"), "300", 500, "500", "update", "0"),
    ("cpu_quota", 20000, cgroup(QUOTA), ("20000", "20000 100000"), 30000, ("30000", "30000 100000"), "update", ("-1", "max 100000")),
    ("cpu_period", 50000, cgroup("cpu.cfs_period_us|cpu.max"), ("50000", "max 50000"), 60000, ("60000", "max 60000"), "update",
     ("100000", "max 100000")),
    ("cpuset_mems", "0", cgroup("cpuset.mems"), "0", "0-0", "0", "update", ("0", "")),
    ("blkio_weight", 300, cgroup("blkio.bfq.weight|blkio.weight|io.bfq.weight"), ("300", "default 300"), 200, ("200", "default 200"), "update",
     ("100", "500", "default 100")),
    ("device_read_bps", (DeviceRate(DISK, 1 << 20),), throttle("read_bps", "rbps"), 1 << 20, (DeviceRate(DISK, 2 << 20),), 2 << 20, "update",
     (None,)),
    ("device_write_bps", (DeviceRate(DISK, 1 << 20),), throttle("write_bps", "wbps"), 1 << 20, (DeviceRate(DISK, 2 << 20),), 2 << 20,
     "update", (None,)),
    ("device_read_iops", (DeviceRate(DISK, 100),), throttle("read_iops", "riops"), 100, (DeviceRate(DISK, 200),), 200, "update", (None,)),
    ("device_write_iops", (DeviceRate(DISK, 100),), throttle("write_iops", "wiops"), 100, (DeviceRate(DISK, 200),), 200, "update", (None,)),
    ("capabilities", ("NET_ADMIN",), inside("grep CapEff /proc/1/status | cut -f2"), None, (), None, "restart", None),
    ("read_only", True, inside("touch /x 2>&1; true"), "touch: /x: Read-only file system", False, "", "restart", ""),
    ("sysctls", {"net.ipv4.ip_default_ttl": "77"}, inside("cat /proc/sys/net/ipv4/ip_default_ttl"), "77",
     {"net.ipv4.ip_default_ttl": "78"}, "78", "restart", "64"),
    ("ulimits", (Ulimit("nofile", 512, 1024),), inside("grep 'open files' /proc/1/limits | tr -s ' '"), "Max open files 512 1024 files",
     (Ulimit("nofile", 256, 256),), "Max open files 256 256 files", "restart", None),
    ("security_opts", ("no-new-privileges",), inside("grep -E 'NoNewPrivs|Seccomp:' /proc/1/status | tr '\\t\\n' '  '"),
     "NoNewPrivs: 1 Seccomp: 2", ("seccomp=unconfined",), "NoNewPrivs: 0 Seccomp: 0", "restart", "NoNewPrivs: 0 Seccomp: 2"),
    ("devices", (Device("/dev/null", "/dev/mine", "r"),), inside("stat -c %t:%T /dev/mine 2>/dev/null; true"), "1:3",
     (Device("/dev/zero", "/dev/mine", "rw"),), "1:5", "restart", ""),
    ("groups", ("extra", "77"), inside("grep ^Groups /proc/1/status | tr '\\t' ' '"), "Groups: 77 2000", ("5",), "Groups: 5", "restart",
     "Groups:"),
    ("umask", 0o77, inside("grep ^Umask /proc/1/status | cut -f2"), "0077", 0, "0000", "restart", "0022"),
    ("domainname", "example.org", inside("cat /proc/sys/kernel/domainname"), "example.org", "example.com", "example.com", "restart", "(none)"),
    ("shm_size", 1 << 20, inside("grep ' /dev/shm ' /proc/mounts | grep -o 'size=[0-9k]*'"), "size=1024k", 2 << 20, "size=2048k", "restart",
     "size=65536k"),
    ("privileged", True, inside("touch /sys/x 2>&1 | grep -c Read-only; grep ^Seccomp: /proc/1/status | cut -f2; grep -c ' /proc/sys ' /proc/mounts; true"),
     "0\n0\n0", False, "1\n2\n1", "restart", "1\n2\n1"),
    ("device_cgroup_rules", ("c 42:* rw",), allowed("c 42:* rw"), True, ("b 8:1 r",), False, "update", False),
    ("ipc_mode", "host", lambda engine: same_space(engine, "ipc"), True, "private", False, "restart", False),
    ("pid_mode", "host", lambda engine: same_space(engine, "pid"), True, "private", False, "restart", False),
    ("uts", "host", lambda engine: same_space(engine, "uts"), True, "private", False, "restart", False),
    ("cgroupns_mode", "host", lambda engine: same_space(engine, "cgroup"), True, "private", False, "restart", False),
    ("labels", {"a": "b"}, lambda engine: engine.find("web")["Config"]["Labels"], {"a": "b", "of": "image"}, {"of": "mine"},
     {"of": "mine"}, "update", {"of": "image"}),
    ("stop_timeout", 3, lambda engine: engine.find("web")["Config"]["StopTimeout"], 3, 4, 4, "update", 10),
    ("stop_signal", 10, lambda engine: engine.find("web")["Config"]["StopSignal"], "SIGUSR1", 12, "SIGUSR2", "update", "SIGKILL"),
    ("mounts", (Mount("tmpfs", "", "/fast", size=1 << 20, mode=0o700),),
     inside("grep ' /fast ' /proc/mounts | cut -d' ' -f3,4; stat -c %a /fast"), None, (Mount("tmpfs", "", "/fast", read_only=True),),
     None, "restart", None),
    ("mounts", (Mount("tmpfs", "", "/fast", size="10%"),), lambda engine: part_of_memory(engine, "/fast"), 10,
     (Mount("tmpfs", "", "/fast", size="5%"),), 5, "restart", None),
]


def part_of_memory(engine, path):
    """Percent, of a file system in the container; None where nothing is mounted."""
    said = engine.read("web", "grep ' %s ' /proc/mounts; stat -f -c '%%b %%S' %s; grep MemTotal /proc/meminfo" % (path, path)).splitlines()
    if len(said) < 3:
        return None
    blocks, size = (int(word) for word in said[-2].split())
    return round(100 * blocks * size / (int(said[-1].split()[1]) << 10))


def matches(seen, wanted):
    return wanted is None or seen == wanted or (isinstance(wanted, tuple) and seen in wanted)


@pytest.mark.parametrize("option,value,look,seen,other,other_seen,cost,bare", OPTIONS, ids=[row[0] for row in OPTIONS])
def test_an_option_means_what_it_says(engine, option, value, look, seen, other, other_seen, cost, bare):
    engine.start(**{option: value})
    assert matches(look(engine), seen), look(engine)
    assert not engine.start(**{option: value}).changed
    foreseen = engine.start(**{option: other}, check=True)
    changed = engine.start(**{option: other})
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (changed.plan, changed.actions, changed.diff)
    assert changed.plan["action"] == cost
    assert matches(look(engine), other_seen), look(engine)
    assert not engine.start(**{option: other}).changed
    usual = next(field.usual for field in FIELDS if field.name == option)
    assert engine.start().changed is (other != usual)       # the command, too: it is the one that all have
    if option in ("command", "stop_signal"):
        return
    assert matches(look(engine), bare), look(engine)
    assert not engine.start().changed
    if cost == "restart":
        assert engine.read("web", "true") == ""


def test_capabilities_are_added_and_dropped(engine):
    def effective():
        return int(engine.read("web", "grep CapEff /proc/1/status | cut -f2"), 16)
    net_admin, chown = 1 << 12, 1 << 0
    engine.start()
    usual = effective()
    assert (usual & net_admin, usual & chown, bin(usual).count("1")) == (0, chown, 14)
    engine.start(capabilities=("NET_ADMIN",), cap_drop=("CHOWN",))
    assert effective() == (usual | net_admin) & ~chown
    assert not engine.start(capabilities=("NET_ADMIN",), cap_drop=("CHOWN",)).changed
    engine.start(cap_drop=("ALL",))
    assert effective() == 0
    engine.start()
    assert effective() == usual


def test_a_seccomp_profile_of_ones_own(engine):
    forbid = 'seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'
    engine.start(security_opts=(forbid,))
    assert engine.read("web", "mkdir /new 2>&1; true") == "mkdir: can't create directory '/new': Operation not permitted"
    assert not engine.start(security_opts=(forbid,)).changed


def test_a_privileged_container_has_the_hosts_devices(engine):
    engine.start(privileged=True)
    assert engine.read("web", "stat -c %%t:%%T %s" % DISK) == "%x:%x" % (os.major(os.stat(DISK).st_rdev), os.minor(os.stat(DISK).st_rdev))
    assert not engine.start(privileged=True).changed


def test_shared_memory_of_another_container(engine):
    engine.start("other")
    engine.start(ipc_mode="container:other")
    engine.read("other", "echo seen > /dev/shm/x")
    assert engine.read("web", "cat /dev/shm/x; readlink /proc/1/ns/ipc") == "seen\n" + engine.read("other", "readlink /proc/1/ns/ipc")
    assert not engine.start(ipc_mode="container:other").changed
    engine.ensure("other", state="stopped")
    with pytest.raises(Exception, match="container other, whose System V IPC it shares, is not running"):
        engine.start(ipc_mode="container:other", restart=True)
    with pytest.raises(Exception, match="it does not exist"):
        engine.start(ipc_mode="container:none")


def test_volumes_and_host_paths_are_mounted(engine, tmp_path):
    (tmp_path / "seen").write_text("from the host\n")
    mounts = (Mount("volume", "data", "/data"), Mount("bind", str(tmp_path), "/host", read_only=True))
    created = engine.start(mounts=mounts)
    assert [action["action"] for action in created.actions] == ["create_volume", "create", "start"]
    assert not engine.start(mounts=mounts).changed
    assert engine.read("web", "echo kept > /data/file; cat /host/seen; touch /host/x 2>&1; true") == "from the host\ntouch: /host/x: Read-only file system"
    assert engine.start(mounts=mounts[:1]).plan["action"] == "restart"
    assert engine.read("web", "cat /data/file; ls /host/seen 2>&1; true").startswith("kept\nls: /host/seen")
    engine.ensure("web", state="absent")
    assert engine.layout.volume_names() == ["data"]
    engine.start(mounts=mounts[:1])
    assert engine.read("web", "cat /data/file") == "kept"


def test_several_networks_with_addresses(engine):
    engine.network("web0", subnet="10.66.1.0/24")
    engine.network("web1", subnet="10.66.2.0/24")
    both = (Attachment("web0", "10.66.1.10"), Attachment("web1"))
    engine.start(networks=both)
    shown = engine.read("web", "ip -4 addr | grep -o '10.66[0-9.]*/24'; ip route | grep default")
    assert shown == "10.66.1.10/24\n10.66.2.2/24\ndefault via 10.66.1.1 dev eth0 "
    assert not engine.start(networks=both).changed
    assert engine.start(networks=both[1:]).plan["action"] == "update"
    assert engine.read("web", "ip -4 addr | grep -o '10.66[0-9.]*/24'; ls /sys/class/net") == "10.66.2.2/24\neth1\nlo"
    engine.network("web0", "absent")        # nobody has an address on it any more
    assert engine.start().plan["action"] == "update"
    assert mine()(engine) == "10.166.88.2"
    engine.network("web1", "absent")


def test_a_network_of_a_container_that_never_ran_is_in_use(engine):
    engine.network("web0", subnet="10.66.1.0/24")
    engine.start(networks=(Attachment("web0"),), state="present")
    with pytest.raises(Exception, match="containers are on it: web"):
        engine.network("web0", "absent")


def test_network_modes(engine):
    engine.start(network_mode="host")
    assert "uplink0" in engine.read("web", "ls /sys/class/net")
    assert not engine.start(network_mode="host").changed
    engine.start(network_mode="custom")
    assert engine.read("web", "ls /sys/class/net; cat /sys/class/net/lo/operstate") == "lo\nunknown"
    assert engine.lab.run(os.path.exists, engine.find("web")["NetworkSettings"]["SandboxKey"])     # for whoever is to fill it
    assert not engine.start(network_mode="custom").changed
    engine.start(network_mode="bridge", networks=())
    assert engine.read("web", "ls /sys/class/net") == "lo"
    assert not engine.start(network_mode="bridge", networks=()).changed


def test_an_automatic_port_is_kept(engine):
    def port(name):
        return engine.find(name)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    engine.start(published_ports=["80"])
    engine.start("other", published_ports=["80"])
    assert (port("web"), port("other")) == ("49153", "49154")
    engine.start("web", published_ports=["80"], state="stopped")
    engine.start("web", published_ports=["80"])
    assert port("web") == "49153"
    assert not engine.start("web", published_ports=["80"]).changed


def test_a_name_may_have_every_character_that_is_allowed(engine):
    for name in ("a=b", "a+b", "a.b_c-d", "A" * 64):
        engine.start(name)
        assert engine.find(name)["State"]["Running"]
        assert not engine.start(name).changed
        engine.ensure(name, state="absent")


@pytest.mark.parametrize("umask", [0o077, 0])
def test_modes_do_not_follow_the_umask_of_the_task(engine, umask):
    engine.start(user="web", mounts=(Mount("volume", "data", "/data"),), before=lambda: os.umask(umask))
    modes = engine.exec("web", "/bin/stat", "-c", "%a", "/", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/data")["stdout"].decode()
    assert modes.split() == ["755", "644", "644", "644", "755"]
    loose = [path for path in enginelab.tree(engine.home) if os.lstat(os.path.join(engine.home, path)).st_mode & 0o022
             and not os.path.islink(os.path.join(engine.home, path)) and "/diff/" not in path and not path.startswith("volumes")]
    assert loose == []


def test_a_terminal_and_an_open_input_are_the_commands(engine):
    engine.start(command=("/bin/sh",), tty=True, network_mode="none")
    found = engine.find("web")
    assert found["State"]["Running"] and found["Config"]["Tty"] and not found["Config"]["OpenStdin"]
    assert engine.read("web", "readlink /proc/1/fd/0; cat /proc/1/comm") == "/dev/pts/0\nsh"
    assert engine.start(command=("/bin/cat",), interactive=True, network_mode="none").plan["action"] == "restart"
    assert engine.state("web")["Running"] and engine.find("web")["Config"]["OpenStdin"]
    for option in ("tty", "interactive"):
        with pytest.raises(Invalid, match="option %s: it is the command's, and there is none" % option):
            engine.start("other", command=(), network_mode="none", check=True, **{option: True})


def test_a_privileged_container_drops_what_it_is_told_to(engine):
    engine.start(privileged=True, cap_drop=("SYS_MODULE",), network_mode="none")
    everything = engine.lab.run(lambda: int(open("/proc/sys/kernel/cap_last_cap").read()))
    assert int(engine.read("web", "grep CapEff /proc/1/status | cut -f2"), 16) >> 16 & 1 == 0
    assert bin(int(engine.read("web", "grep CapBnd /proc/1/status | cut -f2"), 16)).count("1") >= everything - 4    # what this host has


def test_the_hosts_name_is_everywhere_the_hosts(engine):
    engine.start(uts="host", network_mode="none")
    seen = engine.read("web", "hostname; cat /etc/hostname; tr '\\0' '\\n' </proc/1/environ | grep ^HOSTNAME; grep -c \" *$(hostname)$\" /etc/hosts")
    name = os.uname().nodename
    assert seen == "%s\n%s\nHOSTNAME=%s\n1" % (name, name, name)


@pytest.mark.parametrize("option,said", [
    ("etc_hosts", {"network_mode": "container:other", "etc_hosts": {"db": "10.0.0.5"}}),
    ("dns_servers", {"network_mode": "container:other", "dns_servers": ("9.9.9.9",)}),
    ("dns_opts", {"network_mode": "container:other", "dns_opts": ("ndots:2",)}),
    ("dns_search_domains", {"network_mode": "container:other", "dns_search_domains": ("a.example",)}),
    ("links", {"network_mode": "container:other", "links": (("other", "db"),)}),
    ("links", {"network_mode": "host", "links": (("other", "db"),)}),
    ("hostname", {"uts": "host", "hostname": "mine"}),
    ("shm_size", {"ipc_mode": "host", "shm_size": 1 << 20}),
    ("shm_size", {"ipc_mode": "container:other", "shm_size": 1 << 20}),
])
def test_what_could_only_be_passed_over_is_refused(engine, option, said):
    engine.start("other", network_mode="none")
    for check in (True, False):
        with pytest.raises(Invalid, match="option %s: " % option):
            engine.start(check=check, **said)
    emptied = {key: type(value)() if key == option and not isinstance(value, (int, str)) else value for key, value in said.items()}
    if emptied != said:
        assert engine.start(**emptied).changed and not engine.start(**emptied).changed


@pytest.mark.parametrize("made,said,option", [
    ({"memory": 32 << 20}, {"memory_swap": 16 << 20}, "memory_swap"),
    ({"restart_policy": "always"}, {"restart_retries": 3}, "restart_retries"),
])
def test_what_does_not_go_with_what_was_said_before_is_named_as_people_do(engine, made, said, option):
    engine.start(network_mode="none", **made)
    for check in (True, False):
        with pytest.raises(Invalid, match="option %s: " % option):
            engine.ensure("web", check=check, **said)


def test_a_partial_task_that_says_it_otherwise_has_its_effect(engine):
    engine.network("web0", subnet="10.66.1.0/24")
    engine.start(network_mode="none", nano_cpus=10 ** 9)
    assert engine.ensure("web", cpu_quota=20000).changed and limit(engine, QUOTA) in ("20000", "20000 100000")
    assert engine.ensure("web", networks=(Attachment("web0", "10.66.1.10"),)).plan["action"] == "restart"
    assert mine("web0")(engine) == "10.66.1.10"
    assert engine.ensure("web", network_mode="none").changed and engine.read("web", "ls /sys/class/net") == "lo"
    for said in ({"networks": ()}, {"cpu_quota": 20000}, {"network_mode": "none"}):
        engine.ensure("web", **said)
        assert not engine.ensure("web", **said).changed
    engine.ensure("web", state="absent")
    engine.network("web0", "absent")

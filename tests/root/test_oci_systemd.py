# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker-runtime --systemd-cgroup` on a host that systemd runs with cgroup v2: a systemd of the test's own, in namespaces on an overlay of /."""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.tests.root import ocilab
from ansible_collections.cocker.engine.tests.root.runtimelab import until

INIT = "/lib/systemd/systemd"
NEEDED = (INIT, "/usr/bin/systemctl", "/usr/bin/dbus-daemon")
pytestmark = [pytest.mark.root, pytest.mark.skipif(not all(map(os.path.exists, NEEDED)), reason="systemd or dbus is not installed")]
BOOT = """
set -e
mount -t tmpfs tmpfs {base}
mkdir {base}/up {base}/work {base}/root
mount -t overlay overlay -o lowerdir=/,upperdir={base}/up,workdir={base}/work {base}/root
cp -r {given}/. {base}/root/mnt
mount --make-rprivate /
cd {base}/root
pivot_root . media
cd /
mount -t proc proc /proc
umount -l /media
for place in /run /tmp /dev; do mount -t tmpfs tmpfs $place; done
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    IFS=: read name major minor <<< $node
    mknod -m 666 /dev/$name c $major $minor
done
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx /dev/ptmx
rm -rf /etc/systemd/system/*.wants
cp /mnt/probe.service /etc/systemd/system/
systemctl mask systemd-udevd.service systemd-journald.service systemd-logind.service docker.service
container=test exec {init} --system --unit=probe.service
"""
UNIT = """
[Unit]
DefaultDependencies=no
After=dbus.service
Wants=dbus.service
[Service]
Type=oneshot
ExecStart=/bin/bash -x /mnt/probe.sh
StandardOutput=file:{told}
StandardError=file:{log}
"""
PROBE = """
cd /mnt/bundle
mkdir -m 700 -p /tmp/home/engine
runtime() {{ COCKER_HOME=/tmp/home {program} --systemd-cgroup "$@"; }}
runtime run -d web </dev/null >/dev/null
systemctl is-active test-web.scope
runtime exec web cat /proc/self/cgroup | tail -1
cat /proc/$(runtime ps -f json web | tr -d '[]')/cgroup | tail -1
systemctl daemon-reload
runtime pause web; runtime state web | grep status; runtime resume web
runtime delete --force web
sleep 0.2
systemctl is-active test-web.scope
find /sys/fs/cgroup -name 'test-web*' | wc -l
echo end
"""


@pytest.fixture
def told(tmp_path):
    """What the probe said."""
    if not cgroupfs.layout().unified:
        pytest.skip("no cgroup v2 is mounted")
    given, base = tmp_path / "given", tmp_path / "base"
    given.mkdir()
    base.mkdir()
    bundle = ocilab.Bundle(given / "bundle", pathlib.Path("/mnt/rootfs"))
    bundle.write("x")
    bundle.linux["cgroupsPath"] = "machine-test.slice:test:web"
    (bundle.path / "config.json").write_text(json.dumps(bundle.config))
    ocilab.make_rootfs(given / "rootfs")
    program = given / "cocker-runtime"
    subprocess.run([sys.executable, str(ocilab.ROOT / "roles/host/files/pyz.py"), str(ocilab.ROOT), str(program), sys.executable], check=True)
    (given / "probe.sh").write_text(PROBE.format(program="/mnt/cocker-runtime"))
    (given / "probe.service").write_text(UNIT.format(told="/mnt/told", log="/mnt/log"))
    boot = tmp_path / "boot.sh"
    boot.write_text(BOOT.format(base=base, given=given, init=INIT))
    namespaces = ["unshare", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup", "--mount", "--propagation", "private"]
    with own_cgroup() as folder:
        script = 'echo $$ >%s/cgroup.procs; exec "$@"' % folder
        host = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "sh", *namespaces, "bash", str(boot)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: "end\n" in said(folder), timeout=60)
            yield said(folder).splitlines()
        finally:
            host.kill()
            host.wait()


def said(folder: str) -> str:
    """Through the root of whoever is the host's first process."""
    for top in cgroupfs.subtree(folder):
        for pid in cgroupfs.pids(top):
            with contextlib.suppress(OSError):
                return pathlib.Path("/proc/%d/root/mnt/told" % pid).read_text()
    return ""


@contextlib.contextmanager
def own_cgroup() -> t.Iterator[str]:
    """A v2 cgroup that the host takes for the root of all."""
    folder = os.path.join(cgroupfs.layout().unified, "oci-systemd-%d" % os.getpid())
    os.mkdir(folder)
    try:
        yield folder
    finally:
        until(lambda: not any(map(cgroupfs.pids, cgroupfs.subtree(folder))))
        for path in cgroupfs.subtree(folder):
            os.rmdir(path)


def test_a_container_has_a_scope_that_systemd_made(told):
    scope = "/machine.slice/machine-test.slice/test-web.scope/container"
    assert told == ["active", "0::/", "0::" + scope, '  "status": "paused",', "inactive", "0", "end"]

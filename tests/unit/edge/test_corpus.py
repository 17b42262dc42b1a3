# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks as people write them for docker_container and podman_container: with the module's name changed they parse."""
from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

basic = pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container  # noqa: E402
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish  # noqa: E402
from ansible_collections.cocker.engine.tests import taskcorpus  # noqa: E402

# What a serious user of the other collections expects on the first day, and the words that podman_container has for it.
EXPECTED = """
name image state recreate restart paused force_kill kill_signal stop_signal stop_timeout keep_volumes
command command_handling entrypoint working_dir user groups env env_file init hostname domainname umask
network_mode networks published_ports publish_all_ports exposed_ports default_host_ip
dns_servers dns_opts dns_search_domains etc_hosts
memory memory_swap memory_reservation memory_swappiness cpus cpu_shares cpu_period cpu_quota cpuset_cpus cpuset_mems pids_limit
blkio_weight ulimits shm_size oom_killer oom_score_adj
healthcheck userns_mode privileged capabilities cap_drop security_opts read_only devices device_cgroup_rules sysctls ipc_mode pid_mode uts
volumes mounts tmpfs volumes_from restart_policy restart_retries log_driver log_options labels
pull comparisons image_comparison image_name_mismatch image_label_mismatch networks_cli_compatible
""".split()
PODMANS = """
expose exposed ports publish log_opt label volume mount network dns dns_option dns_search add_hosts workdir group_add env_files cap_add ulimit uidmap gidmap
sysctl security_opt device ipc publish_all ip network_aliases cgroupns
""".split()
# Each is about something that is not here; what to do instead is said in docs/PORTING.md.
LEFT_OUT = """
device_requests gpus cgroup_parent storage_opts kernel_memory volume_driver cpu_rt_period pod generate_systemd quadlet_dir rootfs timezone
annotations annotation arch attach authfile blkio_weight_device cgroup_conf cgroups chrootdirs cidfile conmon_pidfile decryption_key
delete_depend delete_time delete_volumes detach_keys env_merge force_delete group_entry healthcheck_failure_action health_startup_cmd hooks_dir
hostuser image_strict image_volume init_path label_file log_level no_hosts os passwd passwd_entry personality pid_file preserve_fd preserve_fds
quadlet_file_mode quadlet_options rdt_class read_only_tmpfs requires restart_time retry retry_delay rmi sdnotify seccomp_policy secrets
shm_size_systemd sig_proxy stop_time subgidname subuidname unsetenv unsetenv_all variant ignore_image pull_check_mode_behavior purge_networks
""".split()
LEFT_OUT_OF = (
    ("networks", {"name": "a"}, "gw_priority"), ("networks", {"name": "a"}, "driver_opts"),
    *(("mounts", {"target": "/a", "source": "/a", "type": "bind"}, option)
      for option in ("consistency", "read_only_force_recursive", "read_only_non_recursive", "volume_driver", "volume_options")),
)

CORPUS: t.List[t.Dict[str, t.Any]] = yaml.safe_load(r"""
- name: data container
  task: {name: mydata, image: busybox, volumes: [/data]}
  means: {mounts: [{kind: volume, source: "", target: /data, read_only: false, propagation: rprivate, recursive: true, copy: true, create: false}]}
- name: redis with a command string
  task:
    name: myredis
    image: redis
    command: redis-server --appendonly yes
    state: present
    recreate: true
    volumes: ["redisdata:/data"]
  means: {command: [redis-server, --appendonly, "yes"]}
- name: application with ports, a device and variables
  task:
    name: myapplication
    image: someuser/appimage
    state: started
    restart: true
    ports: ["8080:9000", "127.0.0.1:8081:9001/udp"]
    devices: ["/dev/sda:/dev/xvda:rwm"]
    env:
      SECRET_KEY: "ssssh"
      BOOLEAN_KEY: "yes"
  means: {env: {BOOLEAN_KEY: "yes", SECRET_KEY: ssssh}}
- name: a variable that YAML made a boolean
  task: {name: app, image: app, env: {DEBUG: yes}}
  refused: env
- name: a port that is a number
  task: {name: app, image: app, ports: [8080]}
  refused: published_ports
- name: numbers in a command list
  task: {name: sleepy, image: "ubuntu:14.04", command: [sleep, infinity, 5]}
  means: {command: [sleep, infinity, "5"]}
- name: port ranges and addresses
  task:
    name: sleepy
    image: ubuntu:14.04
    published_ports: ["127.0.0.1:1025:1025", "9100-9101:9100-9101", "53:53/udp"]
- name: tmpfs and limits as docker writes them
  task:
    name: test
    image: ubuntu:18.04
    memory: 1g
    memory_swap: 2g
    cpus: 1.5
    cpuset_cpus: "0,1"
    cpu_shares: 512
    pids_limit: -1
    tmpfs: ["/run:size=64m", /tmp]
    ulimits: ["nofile:262144:262144", "core:0"]
  means: {memory: 1073741824, memory_swap: 2147483648, nano_cpus: 1500000000, cpuset_cpus: 0-1, pids_limit: -1}
- name: security as docker writes it
  task:
    name: vpn
    image: vpn
    capabilities: [NET_ADMIN, sys_time]
    cap_drop: [all]
    security_opts: ["no-new-privileges:true", "seccomp:unconfined"]
    read_only: true
    sysctls: {net.core.somaxconn: 1024, net.ipv4.tcp_syncookies: 0}
  means: {capabilities: [CAP_NET_ADMIN, CAP_SYS_TIME], cap_drop: [ALL], read_only: true}
- name: static address on a network
  task:
    name: web
    image: nginx
    networks:
      - name: TestingNet
        ipv4_address: 172.16.1.100
      - name: TestingNet2
  means: {networks: [{name: TestingNet, ipv4_address: 172.16.1.100}, {name: TestingNet2}]}
- name: the host's network
  task: {name: exporter, image: prom/node-exporter, network_mode: host, volumes: ["/:/host:ro,rslave"], command: --path.rootfs=/host}
- name: the user is a number
  task: {name: app, image: app, user: 1000, hostname: app.example.org, working_dir: /srv/app, entrypoint: [/entry.sh]}
  means: {user: "1000", hostname: app.example.org, working_dir: /srv/app, entrypoint: [/entry.sh]}
- name: labels with numbers and booleans
  task: {name: traefik, image: "traefik:v2.10", labels: {traefik.enable: true, traefik.http.services.a.loadbalancer.server.port: 8080}}
  means: {labels: {traefik.enable: "true", traefik.http.services.a.loadbalancer.server.port: "8080"}}
- name: stop with a signal and a time
  task: {name: mycontainer, state: stopped, stop_signal: SIGQUIT, stop_timeout: 60}
  means: {stop_signal: 3, stop_timeout: 60}
- name: remove
  task: {name: ohno, state: absent}
- name: restart as a handler
  task: {name: foo, force_restart: true}
- name: podman, run a container
  task:
    name: container
    image: registry.example/wildfly
    state: started
    workdir: /opt
    cap_add: [NET_RAW]
    label: {app: wildfly}
    publish: ["8080:80"]
    volume: ["/opt/data:/data:z"]
    security_opt: [no-new-privileges]
    sysctl: {net.ipv4.ip_unprivileged_port_start: 80}
    ulimit: ["nofile=1024:2048"]
    device: [/dev/fuse]
- name: podman, an address
  task: {name: c, image: c, ip: 10.166.88.9}
  means: {networks: [{name: cocker0, ipv4_address: 10.166.88.9}]}
- name: podman, the host's network
  task: {name: c, image: c, network: host}
  means: {network_mode: host}
- name: a registry with a port, and a path
  task: {name: c, image: "registry.example.org:5000/team/app:1.2.3"}
  means: {images: ["registry.example.org:5000/team/app:1.2.3"]}
- name: cocker's own words
  task: {name: c, images: [base, top], host: node1, vip: 10.166.88.2, port_mapping: ["2222:22"], volume: ["/mnt:/mnt:ro"], init: true}
  means: {hostname: node1, init: true, images: [base, top]}
""")


def parsed(task: t.Dict[str, t.Any]) -> ContainerWish:
    spec = args_container.SPEC
    checked = basic.ArgumentSpecValidator(spec.options, **spec.rules).validate(task)
    assert checked.error_messages == []
    return parse_container.wish(checked.validated_parameters)


@pytest.mark.parametrize("entry", [entry for entry in CORPUS if "refused" not in entry], ids=lambda entry: str(entry["name"]))
def test_a_task_parses(entry: t.Dict[str, t.Any]) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.model.changes import plain

    spec = plain(parsed(entry["task"]).spec)
    assert {name: spec[name] for name in entry.get("means", {})} == entry.get("means", {})


@pytest.mark.parametrize("entry", [entry for entry in CORPUS if "refused" in entry], ids=lambda entry: str(entry["name"]))
def test_a_task_that_would_mean_something_else_is_refused(entry: t.Dict[str, t.Any]) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

    with pytest.raises(Invalid) as caught:
        parsed(entry["task"])
    assert caught.value.subject == entry["refused"]


@pytest.mark.parametrize("task", [
    {"name": "a", "image": "a", "images": ["a"]},
    {"name": "a", "state": "running"},
    {"name": "a", "publish_scope": "lan"},
    {"name": "a", "networks": [{"ipv4_address": "10.0.0.1"}]},
    {"image": "a"},
])
def test_what_the_engine_does_not_do_is_refused(task: t.Dict[str, t.Any]) -> None:
    spec = args_container.SPEC
    assert basic.ArgumentSpecValidator(spec.options, **spec.rules).validate(task).error_messages != []


@pytest.mark.parametrize("entry", taskcorpus.ENTRIES, ids=lambda entry: str(entry["name"]))
def test_a_task_of_the_corpus_parses(entry: t.Dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    taskcorpus.make_files(tmp_path)
    for task in (entry["task"], taskcorpus.changed(entry)):
        taskcorpus.wish(taskcorpus.placed(task, tmp_path))


def test_the_corpus_has_every_option_that_is_expected() -> None:
    said = {option for entry in taskcorpus.ENTRIES for option in (*entry["task"], *entry["change"])}
    assert sorted({*EXPECTED, *PODMANS} - said) == []
    assert len(taskcorpus.ENTRIES) >= 40
    assert len({entry["name"] for entry in taskcorpus.ENTRIES}) == len(taskcorpus.ENTRIES)


@pytest.mark.parametrize("option", LEFT_OUT)
def test_what_is_left_out_is_refused_by_name_and_explained(option: str) -> None:
    with pytest.raises(ValueError, match=option):
        taskcorpus.wish({"name": "a", "image": "a", option: "value"})
    assert "`%s`" % option in (taskcorpus.FILE.parents[2] / "docs" / "PORTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("outer,item,option", LEFT_OUT_OF)
def test_what_is_left_out_of_a_list_is_explained_too(outer: str, item: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(ValueError, match=option):
        taskcorpus.wish({"name": "a", "image": "a", outer: [{**item, option: "value"}]})
    assert "`%s`" % option in (taskcorpus.FILE.parents[2] / "docs" / "PORTING.md").read_text(encoding="utf-8")

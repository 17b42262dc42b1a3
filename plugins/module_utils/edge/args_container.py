# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container, in the groups of its documentation fragments.

No option that is compared has a default: what is not said is not managed.
"""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.args_registry import ACCESS
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Option, Options, Spec
from ansible_collections.cocker.engine.plugins.module_utils.model.logdriver import DRIVERS

STATES = ("absent", "created", "healthy", "paused", "present", "started", "stopped")  # created is podman's word for present

LIFECYCLE: Options = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "default": "started"},
    "image": {"type": "str"},
    "images": {"type": "list", "elements": "str"},
    "pull": {"type": "str", "choices": ["always", "missing", "never", "newer", "true", "false"]},
    "platform": {"type": "str"},
    "registry": {"type": "dict", "options": ACCESS},
    "restart": {"type": "bool", "default": False, "aliases": ["force_restart"]},
    "recreate": {"type": "bool", "default": False},
    "from_image": {"type": "str"},
    "from_container": {"type": "str"},
    "repin": {"type": "bool", "default": False},
    "on_change": {"type": "str", "choices": ["apply", "fail", "live_only"], "default": "apply"},
    "comparisons": {"type": "dict"},
    "image_name_mismatch": {"type": "str", "choices": ["ignore", "recreate"]},
    "image_label_mismatch": {"type": "str", "choices": ["fail", "ignore"], "default": "ignore"},
    "paused": {"type": "bool"},
    "force_kill": {"type": "bool", "default": False, "aliases": ["forcekill"]},
    "kill_signal": {"type": "str"},
    "healthy_wait_timeout": {"type": "float", "default": 300},
    "detach": {"type": "bool", "default": True},
    "cleanup": {"type": "bool", "default": False},
    "output_logs": {"type": "bool", "default": False},
    "auto_remove": {"type": "bool", "aliases": ["remove", "rm"]},
    "labels": {"type": "dict", "aliases": ["label"]},
}

PROCESS: Options = {
    "command": {"type": "raw"},
    "command_handling": {"type": "str", "choices": ["correct"]},
    "entrypoint": {"type": "raw"},
    "init": {"type": "raw"},
    "env": {"type": "dict"},
    "env_file": {"type": "list", "elements": "path", "aliases": ["env_files"]},
    "user": {"type": "str"},
    "groups": {"type": "list", "elements": "str", "aliases": ["group_add"]},
    "umask": {"type": "str"},
    "working_dir": {"type": "str", "aliases": ["workdir"]},
    "tty": {"type": "bool"},
    "interactive": {"type": "bool"},
    "hostname": {"type": "str", "aliases": ["host"]},
    "domainname": {"type": "str"},
    "stop_timeout": {"type": "int"},
    "stop_signal": {"type": "str"},
}

NETWORK: Options = {
    "network_mode": {"type": "raw", "aliases": ["net", "network"]},
    "networks": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "ipv4_address": {"type": "str"},
            "ipv6_address": {"type": "str"},
            "mac_address": {"type": "str"},
            "aliases": {"type": "list", "elements": "str"},
            "links": {"type": "list", "elements": "str"},
        },
    },
    "network_aliases": {"type": "list", "elements": "str", "aliases": ["network_alias"]},
    "ipv4_address": {"type": "str", "aliases": ["ip", "vip"]},
    "ipv6_address": {"type": "str", "aliases": ["ip6"]},
    "mac_address": {"type": "str"},
    "published_ports": {"type": "list", "elements": "raw", "aliases": ["port_mapping", "ports", "publish", "published"]},
    "publish_all_ports": {"type": "bool", "aliases": ["publish_all"]},
    "exposed_ports": {"type": "list", "elements": "raw", "aliases": ["expose", "exposed"]},
    "publish_scope": {"type": "str", "choices": ["any", "loopback"]},
    "default_host_ip": {"type": "str"},
    "etc_hosts": {"type": "dict", "aliases": ["add_hosts"]},
    "dns_servers": {"type": "list", "elements": "str", "aliases": ["dns"]},
    "dns_opts": {"type": "list", "elements": "str", "aliases": ["dns_option"]},
    "dns_search_domains": {"type": "list", "elements": "str", "aliases": ["dns_search"]},
    "links": {"type": "list", "elements": "str"},
}

MOUNTS: Options = {
    "volumes": {"type": "list", "elements": "str", "aliases": ["volume"]},
    "mounts": {
        "type": "list",
        "elements": "dict",
        "aliases": ["mount"],
        "options": {
            "target": {"type": "str", "required": True, "aliases": ["destination", "dst"]},
            "source": {"type": "str", "aliases": ["src"]},
            "type": {"type": "str", "choices": ["bind", "content", "tmpfs", "volume"]},
            "read_only": {"type": "bool", "aliases": ["readonly", "ro"]},
            "propagation": {"type": "str"},
            "non_recursive": {"type": "bool"},
            "create_mountpoint": {"type": "bool"},
            "no_copy": {"type": "bool"},
            "subpath": {"type": "str", "aliases": ["volume_subpath"]},
            "labels": {"type": "dict"},
            "tmpfs_size": {"type": "str"},
            "tmpfs_mode": {"type": "str"},
            "tmpfs_options": {"type": "list", "elements": "raw"},
            "content": {"type": "str"},
            "mode": {"type": "str"},
            "uid": {"type": "int"},
            "gid": {"type": "int"},
            "on_change": {"type": "str", "choices": ["none", "reload", "restart"]},
            "signal": {"type": "str"},
        },
    },
    "volumes_from": {"type": "list", "elements": "str"},
    "keep_volumes": {"type": "bool", "default": True},
    "tmpfs": {"type": "raw"},
}

_BPS: Option = {
    "type": "list", "elements": "dict", "options": {"path": {"type": "str", "required": True}, "rate": {"type": "str", "required": True}},
}
_IOPS: Option = {
    "type": "list", "elements": "dict", "options": {"path": {"type": "str", "required": True}, "rate": {"type": "int", "required": True}},
}

RESOURCES: Options = {
    "memory": {"type": "str"},
    "memory_swap": {"type": "str"},
    "memory_reservation": {"type": "str"},
    "memory_swappiness": {"type": "int"},
    "oom_killer": {"type": "bool", "aliases": ["oom_kill_disable"]},
    "oom_score_adj": {"type": "int"},
    "cpus": {"type": "float"},
    "cpu_period": {"type": "int"},
    "cpu_quota": {"type": "int"},
    "cpuset_cpus": {"type": "str"},
    "cpuset_mems": {"type": "str"},
    "cpu_shares": {"type": "int"},
    "pids_limit": {"type": "int"},
    "blkio_weight": {"type": "int"},
    "device_read_bps": _BPS,
    "device_write_bps": _BPS,
    "device_read_iops": _IOPS,
    "device_write_iops": _IOPS,
    "ulimits": {"type": "list", "elements": "str", "aliases": ["ulimit"]},
}

SECURITY: Options = {
    "capabilities": {"type": "list", "elements": "str", "aliases": ["cap_add"]},
    "cap_drop": {"type": "list", "elements": "str"},
    "security_opts": {"type": "list", "elements": "str", "aliases": ["security_opt"]},
    "devices": {"type": "list", "elements": "str", "aliases": ["device"]},
    "device_cgroup_rules": {"type": "list", "elements": "str", "aliases": ["device_cgroup_rule"]},
    "privileged": {"type": "bool"},
    "ipc_mode": {"type": "str", "aliases": ["ipc"]},
    "pid_mode": {"type": "str", "aliases": ["pid"]},
    "uts": {"type": "str", "choices": ["host", "private"], "aliases": ["uts_mode"]},
    "cgroupns_mode": {"type": "str", "choices": ["host", "private"], "aliases": ["cgroupns"]},
    "userns_mode": {"type": "str", "aliases": ["userns"]},
    "uidmap": {"type": "list", "elements": "str"},
    "gidmap": {"type": "list", "elements": "str"},
    "shm_size": {"type": "str"},
    "read_only": {"type": "bool"},
    "sysctls": {"type": "dict", "aliases": ["sysctl"]},
}

SUPERVISION: Options = {
    "log_driver": {"type": "str", "choices": list(DRIVERS)},
    "log_options": {"type": "dict", "aliases": ["log_opt"]},
    "restart_policy": {"type": "str"},
    "restart_retries": {"type": "int"},
    "healthcheck": {"type": "raw", "aliases": ["health_cmd"]},
    "healthcheck_interval": {"type": "str", "aliases": ["health_interval"]},
    "healthcheck_timeout": {"type": "str", "aliases": ["health_timeout"]},
    "healthcheck_start_period": {"type": "str", "aliases": ["health_start_period"]},
    "healthcheck_retries": {"type": "int", "aliases": ["health_retries"]},
    "no_healthcheck": {"type": "bool", "default": False},
}

# What docker_container and podman_container tell about a daemon or a program that is not here. Accepted, so that their tasks run.
_FOREIGN: Option = {"type": "raw", "no_log": False}
PORTED: Options = {
    "docker_host": dict(_FOREIGN, aliases=["docker_url"]),
    "tls_hostname": _FOREIGN,
    "api_version": dict(_FOREIGN, aliases=["docker_api_version"]),
    "timeout": dict(_FOREIGN, aliases=["time_out"]),
    "ca_path": dict(_FOREIGN, aliases=["ca_cert", "cacert_path", "tls_ca_cert"]),
    "client_cert": dict(_FOREIGN, aliases=["cert_path", "tls_client_cert"]),
    "client_key": dict(_FOREIGN, aliases=["key_path", "tls_client_key"]),
    "tls": _FOREIGN,
    "validate_certs": dict(_FOREIGN, aliases=["tls_verify"]),
    "use_ssh_client": _FOREIGN,
    "debug": _FOREIGN,
    "executable": _FOREIGN,
    "cmd_args": _FOREIGN,
    "runtime": _FOREIGN,
    "networks_cli_compatible": _FOREIGN,
    "container_default_behavior": _FOREIGN,
    "image_comparison": _FOREIGN,
    "removal_wait_timeout": _FOREIGN,
}

SPEC = Spec(
    {**LIFECYCLE, **PROCESS, **NETWORK, **MOUNTS, **RESOURCES, **SECURITY, **SUPERVISION, **PORTED},
    rules={"mutually_exclusive": [
        ("image", "images"), ("from_image", "from_container"), ("from_container", "image", "images"), ("cpus", "cpu_quota"),
        ("cpus", "cpu_period"), ("publish_scope", "default_host_ip"),
    ]},
)

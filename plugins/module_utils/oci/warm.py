# SPDX-License-Identifier: BSD-2-Clause
"""The functions that are called whenever a container is made or entered, by file: they are read at the start, the others when they are
called (engine/linking.py). FORKED are those that the container's first process calls, which lie together. What is not here works as well,
and takes a little longer. Written by tools/warm.py; no file imports this.
"""
from __future__ import annotations

WARM = {
    "cli.begin": (
        "Packed.__init__", "Packed.find_spec", "_borrow_system", "_enter", "_entering", "_find_in", "_load", "_load_extension",
        "_map", "_mapped", "go",
    ),
    "kernel.bpf": (
        "DeviceRule.__new__",
    ),
    "kernel.caps": (
        "_bounding_has", "_capset", "_drop", "apply", "keep_across_setuid", "last_cap", "limit_bounding", "mask", "numbers",
        "parse",
    ),
    "kernel.cgroupfs": (
        "Layout.__new__", "_unescape", "find", "fork_as", "fork_member", "has", "hierarchies", "is_frozen", "keyed", "layout",
        "read", "write",
    ),
    "kernel.fds": (
        "close_range_cloexec", "packet_pair",
    ),
    "kernel.foreign": (
        "CDLL.__getattr__", "CDLL.__init__", "create_string_buffer",
    ),
    "kernel.fs": (
        "temporary_name", "write_all", "write_atomic",
    ),
    "kernel.libc": (
        "_answers", "_load", "call", "filesystem_type", "is_missing", "is_procfs", "prctl", "syscall", "system_call_numbers",
    ),
    "kernel.mounts": (
        "_at", "bind", "mount", "mount_setattr", "move_mount", "open_tree", "path_of", "pivot_root", "set_attributes",
        "set_propagation", "umount",
    ),
    "kernel.namespaces": (
        "Kind.__new__", "open_of", "setns", "unshare",
    ),
    "kernel.process": (
        "Identity.__new__", "Identity.alive", "_is_dead", "_stat", "boot_id", "of_child", "reset_signals", "set_dumpable",
        "set_limit", "set_subreaper",
    ),
    "kernel.rootpath": (
        "_Walk.__enter__", "_Walk.__exit__", "_Walk.__init__", "_Walk._step", "_Walk.fd", "_Walk.run", "ensure_dir",
        "make_directory", "mknod", "open_in", "open_root", "openat2", "symlink",
    ),
    "kernel.small": (
        "read",
    ),
    "model.errors": (
        "CockerError.__init__", "KernelError.__init__", "tolerate.__enter__", "tolerate.__exit__", "tolerate.__init__",
    ),
    "model.jsontext": (
        "dumps", "loads",
    ),
    "model.oci": (
        "Bundle.__new__", "Bundle.namespace", "Bundle.overlay", "Capabilities.__new__", "Mount.__new__", "Namespace.__new__",
        "Process.__new__", "Rlimit.__new__", "_Object.__init__", "_Object.finish", "_Object.flag", "_Object.maybe_number",
        "_Object.number", "_Object.object", "_Object.objects", "_Object.of", "_Object.pairs", "_Object.raw", "_Object.strings",
        "_Object.take", "_Object.text", "_absolute", "_choice", "_environment", "_maps", "_mount", "_namespaces", "_numbers",
        "_plain", "_process", "_rlimit", "_settings", "minor", "parse", "since_then",
    ),
    "model.oci_shapes": (
        "_fields", "refuse_others",
    ),
    "model.restarts": (
        "Policy.__new__",
    ),
    "model.settings": (
        "Settings.__new__", "parse",
    ),
    "model.unfolded": (
        "Row._asdict", "Row._make", "Row._replace", "_Context.__enter__", "_Context.__exit__", "_Context.__init__",
        "contextmanager", "suppress.__enter__", "suppress.__exit__", "suppress.__init__",
    ),
    "oci.build": (
        "Tree.__new__", "Tree.held", "_attach", "_follow", "_open_covered", "_place_all", "fill", "finish", "hold",
    ),
    "oci.catalog": (
        "Verb.__new__",
    ),
    "oci.child": (
        "Links.__new__", "Links.held", "Plan.__new__", "Plan.held", "_become", "_first", "_go_on", "_guarded", "_set_oom_score",
        "_wait_and_become", "fork",
    ),
    "oci.command": (
        "_enter_directory", "_own_streams", "_unusable", "_variables", "become", "find_program", "join_keyring", "settle",
        "with_listeners",
    ),
    "oci.config": (
        "Config.__new__", "MountExtras.__new__", "Process.__new__", "_check", "_hooks", "_io_priority", "_mounts", "_namespaces",
        "_number", "_object", "_objects", "_offsets", "_personality", "_pop", "_possible", "_ranges", "_refuse", "_scheduler",
        "_text", "_truth", "_words", "hooks", "load", "parse", "parse_process", "read_json", "split_process", "with_usual_devices",
    ),
    "oci.console": (
        "check",
    ),
    "oci.create": (
        "Request.__new__", "_claim", "_converse", "_filter", "_launch", "_make_cgroup", "_make_pipe", "_place", "_plan", "_scope",
        "connect", "create", "read",
    ),
    "oci.enter": (
        "_changes", "execute",
    ),
    "oci.execute": (
        "Request.__new__", "_Target.__new__", "_become", "_changed", "_foreign_spaces", "_fork", "_is_same", "_launch", "_target",
        "execute",
    ),
    "oci.filters": (
        "prepare",
    ),
    "oci.flags": (
        "Flag.__new__", "Flag.empty", "_store", "parse",
    ),
    "oci.foreground": (
        "_bundle", "_listeners", "_notified", "_request", "absolute", "create", "run",
    ),
    "oci.hooks": (
        "need_process", "run", "warn",
    ),
    "oci.machine": (
        "Affinity.__new__", "_refuse", "affinity", "devices", "memory_policy", "numbers",
    ),
    "oci.main": (
        "Call.__new__", "Call.id", "_call", "_create", "_exec", "_report", "_run", "_run_", "protected",
    ),
    "oci.place": (
        "_join", "find",
    ),
    "oci.records": (
        "Record.__new__", "Record.annotations", "Record.lives", "_remove", "describe", "find", "folder", "get", "remove", "status",
        "write",
    ),
    "oci.report": (
        "Report.__init__",
    ),
    "oci.spaces": (
        "Seat.__new__", "Seat.held", "Spaces.__new__", "Spaces.has_user", "enter", "enter_for_children", "find", "fork_seated",
        "homes", "open_seat",
    ),
    "oci.terminal": (
        "Watch.__init__", "Watch._wait_for_signals", "Watch.wait", "_bury",
    ),
    "oci.verbs": (
        "destroy", "forget", "hooks_of", "tell_started",
    ),
    "runtime.cgroup_mount": (
        "View.__new__",
    ),
    "runtime.cgroups.common": (
        "Hierarchy.__init__", "Hierarchy._ensure_parents", "Hierarchy._make", "Hierarchy.create", "Hierarchy.parents",
        "Hierarchy.prepare", "Hierarchy.prepares", "Hierarchy.remove_empty", "Hierarchy.root", "root_of",
    ),
    "runtime.cgroups.devices": (
        "Allowance.__new__", "_canonical", "_join", "_kinds", "_rule", "_split", "line", "rules", "v1_allowance", "v1_writes",
    ),
    "runtime.cgroups.group": (
        "Cgroup.__init__", "Cgroup._check_usage", "Cgroup._control_devices", "Cgroup._current", "Cgroup._remove_parents",
        "Cgroup._versions", "Cgroup.apply", "Cgroup.create", "Cgroup.directory", "Cgroup.paths", "Cgroup.remove_empty",
        "from_paths",
    ),
    "runtime.cgroups.resources": (
        "controllers", "settings",
    ),
    "runtime.cgroups.v1": (
        "HierarchyV1._inherit", "HierarchyV1.prepare", "HierarchyV1.prepares",
    ),
    "runtime.cgroups.v2": (
        "HierarchyV2.create", "HierarchyV2.offered",
    ),
    "runtime.command": (
        "forget_host",
    ),
    "runtime.credentials": (
        "assume", "permitted", "set_limits",
    ),
    "runtime.defaults": (
        "DefaultMount.__new__", "_allow",
    ),
    "runtime.devices": (
        "create", "open_null", "populate",
    ),
    "runtime.loopback": (
        "bring_up",
    ),
    "runtime.masks": (
        "_bind_read_only", "_find", "hide", "protect",
    ),
    "runtime.mount_options": (
        "Options.__new__", "_Flag.__new__", "_add", "_flagged", "parse",
    ),
    "runtime.rootfs": (
        "Placed.__new__", "_check", "_filesystem", "_of_container", "_refuse_link", "_target", "ensure_working_directory",
        "hold_sources", "open_working_directory", "pivot", "place", "prepare",
    ),
    "runtime.state": (
        "now", "stamp",
    ),
    "runtime.streams": (
        "close_all",
    ),
    "runtime.sync": (
        "receive",
    ),
    "runtime.sysctls": (
        "check",
    ),
    "runtime.users": (
        "User.__new__", "_Account.__new__", "_accounts", "_find", "_is_id", "_lines", "_read", "find",
    ),
}
FORKED = {
    "kernel.caps": (
        "_bounding_has", "_capset", "_drop", "apply", "keep_across_setuid", "last_cap", "limit_bounding", "mask", "numbers",
        "parse",
    ),
    "kernel.foreign": (
        "create_string_buffer",
    ),
    "kernel.libc": (
        "filesystem_type", "is_procfs", "prctl",
    ),
    "kernel.mounts": (
        "bind", "mount", "mount_setattr", "move_mount", "pivot_root", "set_attributes", "set_propagation", "umount",
    ),
    "kernel.process": (
        "reset_signals", "set_dumpable", "set_limit",
    ),
    "kernel.rootpath": (
        "_Walk.__enter__", "_Walk.__exit__", "_Walk.__init__", "_Walk._step", "_Walk.fd", "_Walk.run", "ensure_dir",
        "make_directory", "mknod", "open_in", "open_root", "openat2", "symlink",
    ),
    "model.errors": (
        "tolerate.__enter__", "tolerate.__exit__", "tolerate.__init__",
    ),
    "model.unfolded": (
        "suppress.__exit__",
    ),
    "oci.build": (
        "Tree.held", "_attach", "_follow", "_open_covered", "_place_all", "fill", "finish",
    ),
    "oci.child": (
        "Links.held", "Plan.held", "_become", "_first", "_go_on", "_guarded", "_set_oom_score", "_wait_and_become",
    ),
    "oci.command": (
        "_enter_directory", "_own_streams", "_unusable", "_variables", "become", "find_program", "join_keyring", "settle",
        "with_listeners",
    ),
    "oci.execute": (
        "_become",
    ),
    "oci.hooks": (
        "need_process", "run",
    ),
    "oci.spaces": (
        "Seat.held", "enter",
    ),
    "runtime.command": (
        "forget_host",
    ),
    "runtime.credentials": (
        "assume", "permitted", "set_limits",
    ),
    "runtime.devices": (
        "create", "open_null", "populate",
    ),
    "runtime.loopback": (
        "bring_up",
    ),
    "runtime.masks": (
        "_bind_read_only", "_find", "hide", "protect",
    ),
    "runtime.rootfs": (
        "_check", "_filesystem", "_refuse_link", "_target", "ensure_working_directory", "open_working_directory", "pivot", "place",
    ),
    "runtime.streams": (
        "close_all",
    ),
    "runtime.users": (
        "User.__new__", "_Account.__new__", "_accounts", "_find", "_is_id", "_lines", "_read", "find",
    ),
}

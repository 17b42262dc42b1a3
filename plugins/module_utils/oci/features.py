# SPDX-License-Identifier: BSD-2-Clause
"""`features`: what this runtime knows of the runtime spec, in the form that the spec has for it."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, namespaces, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.version import VERSION
from ansible_collections.cocker.engine.plugins.module_utils.oci import config, machine, records
from ansible_collections.cocker.engine.plugins.module_utils.runtime import mount_options


def describe() -> t.Dict[str, t.Any]:
    """Whatever this kernel has of it. No annotation of a bundle changes what the runtime does."""
    annotations = {"org.cocker.engine.version": VERSION}
    try:
        annotations["io.github.seccomp.libseccomp.version"] = seccomp.version()
        filters: t.Dict[str, t.Any] = {
            "enabled": True, "actions": sorted(seccomp.ACTIONS), "operators": sorted(seccomp.COMPARISONS),
            "archs": seccomp.architectures(), "knownFlags": sorted(seccomp.FLAGS), "supportedFlags": sorted(seccomp.FLAGS),
        }
    except Unsupported:
        filters = {"enabled": False}
    return {
        "ociVersionMin": "1.0.0", "ociVersionMax": records.OCI_VERSION, "hooks": list(config.HOOKS),
        "mountOptions": sorted({*mount_options.words(), *config.MOUNT_WORDS}),
        "linux": {
            "namespaces": sorted(namespaces.KINDS), "capabilities": list(caps.NAMES),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": False, "rdma": True},
            "seccomp": filters, "apparmor": {"enabled": True}, "selinux": {"enabled": False}, "intelRdt": {"enabled": False},
            "netDevices": {"enabled": True}, "memoryPolicy": {"modes": sorted(machine.MODES), "flags": sorted(machine.MODE_FLAGS)},
            "mountExtensions": {"idmap": {"enabled": True}},
        },
        "annotations": annotations, "potentiallyUnsafeConfigAnnotations": [],
    }

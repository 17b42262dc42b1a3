# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the processes of a container may do."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  capabilities:
    description:
      - Capabilities that the container gets besides the usual ones, such as V(NET_ADMIN), with or without C(CAP_). V(all) is every one.
    type: list
    elements: str
    aliases: [cap_add]
  cap_drop:
    description:
      - Capabilities that are taken from the usual ones. With V(all), the container has those of O(capabilities) only.
    type: list
    elements: str
  security_opts:
    description:
      - V(no-new-privileges) (or V(no-new-privileges:true)) forbids to gain privileges by executing a program.
      - V(seccomp=unconfined) switches the filter for system calls off.
      - V(systempaths=unconfined) shows what is otherwise masked or read-only in C(/proc) and C(/sys).
    type: list
    elements: str
    aliases: [security_opt]
  devices:
    description:
      - Devices of the host, each as V(SOURCE), V(SOURCE:TARGET) or V(SOURCE:TARGET:PERMISSIONS), the permissions being
        letters of V(rwm) (read, write, make a node), all of them where nothing is said.
    type: list
    elements: str
    aliases: [device]
  read_only:
    description:
      - Whether the container's root is read-only. Volumes and O(tmpfs) are not.
    type: bool
  sysctls:
    description:
      - Kernel parameters of the container's own namespaces, C(net.*), C(fs.mqueue.*) and those of System V IPC such as
        C(kernel.shmmax).
      - Those of C(net.*) cannot be set with O(network_mode=host), as they would be the host's.
    type: dict
    aliases: [sysctl]
"""

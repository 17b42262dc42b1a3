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
      - V(seccomp=unconfined) switches the filter for system calls off. V(seccomp=PATH) takes it from a file of the managed host, a
        profile in the form of the OCI runtime specification or in the one of Docker and Podman. Its content is compared and kept.
        V(seccomp=default) is the engine's own filter, as if nothing was said.
      - V(apparmor=unconfined) and V(label=disable) say what holds in any case, as the engine sets no AppArmor profile and no SELinux label.
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
  device_cgroup_rules:
    description:
      - Devices that the container may use when it has a node of them, each as V(KIND MAJOR:MINOR PERMISSIONS) such as V(c 42:* rwm).
        The kind is V(c), V(b) or V(a) for both, a number may be V(*).
      - Changes while the container runs.
    type: list
    elements: str
    aliases: [device_cgroup_rule]
  privileged:
    description:
      - Whether the container has every capability and every device of the host, no filter for system calls, and nothing in C(/proc) and
        C(/sys) hidden from it. This is next to being root on the host. O(cap_drop) takes capabilities away again.
    type: bool
  ipc_mode:
    description:
      - Whose System V and POSIX shared memory, semaphores and queues the container has.
      - V(private), which is also V(shareable), means its own, V(host) those of the host, V(container:NAME) those of a container that runs.
    type: str
    aliases: [ipc]
  pid_mode:
    description:
      - Whose processes the container sees, and may signal, as far as its users and O(capabilities) allow.
      - V(private) means its own, V(host) all of the host, V(container:NAME) those of a container that runs, with which they end.
      - With V(host) and V(container:NAME) it has no PID 1 of its own, so that it needs a command and no O(init), and no users of its own.
        What it leaves behind ends with its command or its supervisor nevertheless, and whoever stops it reaches its own processes only.
    type: str
    aliases: [pid]
  uts:
    description:
      - V(host) gives the container the host's name in place of one of its own.
    type: str
    choices: [host, private]
    aliases: [uts_mode]
  cgroupns_mode:
    description:
      - V(private) shows the container its own cgroup as the root of all, V(host) where it is on the host.
      - Not set, it is V(private).
    type: str
    choices: [host, private]
    aliases: [cgroupns]
  userns_mode:
    description:
      - V(auto) gives the container users of its own. Its root is nobody on the host, one of 65536 users and groups that belong to no other
        container, and can do to the container only what root can do.
      - Volumes, images, copies and commits know nothing of it, and a container may change from one to the other with what it wrote.
      - With Linux 5.19 and a file system that can be mounted so that other users have its files, such as ext4, xfs and btrfs, what the
        container owns is the same on the disk as without, and it takes neither time nor space. V(UserNamespaces) of
        M(cocker.engine.cocker_host_info) is then V(mapped). Elsewhere it is V(copied), and the first start with new users copies. The
        layers of the images are copied once for each map. What the container wrote and its volumes are copied, and take the place of
        the former, whenever they get other users. A volume can then be used at the same time only by containers with the same users, which
        O(uidmap) can give them. M(cocker.engine.cocker_prune) removes copies that no container needs.
      - Paths of the host are seen as they are, and what belongs to the host's root belongs to nobody there. With V(idmap) among the options
        of O(volumes), as in V(/srv:/srv:idmap), what belongs to a user of the host belongs to the container's user of that number.
        Their file system has to be one that can be mounted so.
      - It cannot mount anything, not even with V(SYS_ADMIN) among O(capabilities), and does not go with O(privileged).
        With O(network_mode=host) and V(container:NAME) it can change nothing of that network.
      - V(host), or not set, lets it have the users of the host.
    type: str
    aliases: [userns]
  uidmap:
    description:
      - In place of O(userns_mode=auto) the users of the container, each range as V(CONTAINER:HOST:SIZE), such as V(0:100000:65536).
        One of them has to have the container's V(0).
    type: list
    elements: str
  gidmap:
    description:
      - The same for groups. Where only one of the two is set, it holds for both.
    type: list
    elements: str
  shm_size:
    description:
      - How much C(/dev/shm) holds, a number of bytes or one with a unit V(K), V(M), V(G) or V(T). Not set, it is V(64M).
    type: str
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

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container may use."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  memory:
    description:
      - How much memory the container may use; when it wants more, one of its processes is killed.
      - A number of bytes, or a number with a unit V(K), V(M), V(G) or V(T) (powers of 1024). The smallest that is accepted is V(6M).
      - V(unlimited), V(-1) and V(0) are no limit.
      - Without O(memory_swap), there is no swap for what does not fit.
      - Changes while the container runs.
    type: str
  memory_swap:
    description:
      - How much memory and swap the container may use together. Written as O(memory), which it includes. V(unlimited) and
        V(-1) are no limit.
      - Changes while the container runs.
    type: str
  memory_reservation:
    description:
      - How much memory the container should be left with when the host runs short of it. Written as O(memory), which it is within.
      - Changes while the container runs.
    type: str
  memory_swappiness:
    description:
      - How readily the container's memory is swapped out, from V(0) to V(100). Not set, or V(-1), it is the host's.
      - Only cgroup v1 has it; on a host with cgroup v2 it is refused.
      - Changes while the container runs.
    type: int
  oom_killer:
    description:
      - V(true) switches the killer of processes that want more than O(memory) B(off) for the container (the sense that the option has in
        C(community.docker.docker_container)). They then wait until there is memory.
      - Only cgroup v1 has it; on a host with cgroup v2 V(true) is refused.
      - Changes while the container runs.
    type: bool
    aliases: [oom_kill_disable]
  oom_score_adj:
    description:
      - How likely the container's processes are chosen when the host runs out of memory, from V(-1000) (never) to V(1000) (first).
      - Changes while the container runs.
    type: int
  cpus:
    description:
      - How much CPU time the container may use, as a number of CPUs such as V(0.5). The smallest that is accepted is V(0.01);
        V(0) is no limit.
      - Changes while the container runs.
    type: float
  cpu_period:
    description:
      - The time in microseconds in which the container may use O(cpu_quota), from V(1000) to V(1000000). V(100000), which is
        also V(0), where nothing is said.
      - O(cpus) says the same in one number, so it cannot be given together with it.
      - Changes while the container runs.
    type: int
  cpu_quota:
    description:
      - How many microseconds of CPU time the container may use in each O(cpu_period), at least V(1000). V(0) and V(-1) are no limit.
      - Changes while the container runs.
    type: int
  cpuset_cpus:
    description:
      - The CPUs that the container may run on, as a list of numbers and ranges such as V(0-2,5).
      - Changes while the container runs.
    type: str
  cpuset_mems:
    description:
      - The memory nodes (NUMA) that the container may use, as a list of numbers and ranges.
      - Changes while the container runs.
    type: str
  cpu_shares:
    description:
      - The container's share of the CPU time where there is not enough for all, from V(2) to V(262144). Others have V(1024), and
        V(0) is the same.
      - Changes while the container runs.
    type: int
  pids_limit:
    description:
      - How many processes and threads the container may have. V(-1) and V(0) are no limit.
      - Changes while the container runs.
    type: int
  blkio_weight:
    description:
      - The container's share of the disk where there is not enough for all, from V(10) to V(1000).
      - It needs an I/O scheduler with weights, such as bfq.
      - Changes while the container runs.
    type: int
  device_read_bps:
    description:
      - How many bytes a second may be read from each block device of the host, given by its O(device_read_bps[].path).
      - Changes while the container runs.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - The device, such as V(/dev/sda).
        type: str
        required: true
      rate:
        description:
          - A number of bytes, or a number with a unit as in O(memory).
        type: str
        required: true
  device_write_bps:
    description:
      - How many bytes a second may be written to each block device of the host, given by its O(device_write_bps[].path).
      - Changes while the container runs.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - The device, such as V(/dev/sda).
        type: str
        required: true
      rate:
        description:
          - A number of bytes, or a number with a unit as in O(memory).
        type: str
        required: true
  device_read_iops:
    description:
      - How many times a second may be read from each block device of the host, given by its O(device_read_iops[].path).
      - Changes while the container runs.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - The device, such as V(/dev/sda).
        type: str
        required: true
      rate:
        description:
          - The number of operations.
        type: int
        required: true
  device_write_iops:
    description:
      - How many times a second may be written to each block device of the host, given by its O(device_write_iops[].path).
      - Changes while the container runs.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - The device, such as V(/dev/sda).
        type: str
        required: true
      rate:
        description:
          - The number of operations.
        type: int
        required: true
  ulimits:
    description:
      - Limits of each process, as V(NAME:SOFT:HARD) or V(NAME:BOTH), such as V(nofile:1024:2048). The names are those of
        getrlimit(2) without C(RLIMIT_), in lower case. V(-1) is no limit.
    type: list
    elements: str
    aliases: [ulimit]
"""

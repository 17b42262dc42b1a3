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
  cpus:
    description:
      - How much CPU time the container may use, as a number of CPUs such as V(0.5). The smallest that is accepted is V(0.01).
      - Changes while the container runs.
    type: float
  cpuset_cpus:
    description:
      - The CPUs that the container may run on, as a list of numbers and ranges such as V(0-2,5).
      - Changes while the container runs.
    type: str
  cpu_shares:
    description:
      - The container's share of the CPU time where there is not enough for all, from V(2) to V(262144). Others have V(1024).
      - Changes while the container runs.
    type: int
  pids_limit:
    description:
      - How many processes and threads the container may have. V(-1) and V(0) are no limit.
      - Changes while the container runs.
    type: int
  ulimits:
    description:
      - Limits of each process, as V(NAME:SOFT:HARD) or V(NAME:BOTH), such as V(nofile:1024:2048). The names are those of
        getrlimit(2) without C(RLIMIT_), in lower case. V(-1) is no limit.
    type: list
    elements: str
    aliases: [ulimit]
"""

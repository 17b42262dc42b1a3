#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_host_info
short_description: Tell what a host offers to containers
version_added: 0.1.0
description:
  - Tells what of the kernel and of the host's libraries is there, what is missing, and what cannot be done without it.
  - Never changes anything.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._attributes.info
  - cocker.engine._common
options: {}
author:
  - The cocker.engine contributors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Ask the host
  cocker.engine.cocker_host_info:
  register: host

- name: It must be able to run containers
  ansible.builtin.assert:
    that: host.can_run_containers
    fail_msg: "{{ host.missing | map(attribute='name') | join(', ') }} missing"
"""

RETURN = r"""
can_run_containers:
  description: Whether everything is there that a container cannot do without.
  returned: success
  type: bool
  sample: true
missing:
  description: What is not there.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What it is.
      returned: always
      type: str
      sample: pyroute2
    detail:
      description: More about it.
      returned: always
      type: str
      sample: the role cocker.engine.host brings it
    disables:
      description: What cannot be done without it.
      returned: always
      type: str
      sample: bridge networks
    required:
      description: Whether no container can run without it.
      returned: always
      type: bool
      sample: false
host_info:
  description: What the host is, and every check with its outcome.
  returned: success
  type: dict
  sample:
    Architecture: x86_64
    Cgroup: {Controllers: {memory: /sys/fs/cgroup}, Mode: v2, Unified: /sys/fs/cgroup}
    Checks: {pyroute2: {detail: importable, ok: true}}
    CockerHome: /var/cocker
    Kernel: 6.1.0-18-amd64
    Python: 3.11.2
    UserNamespaces: mapped
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import hostinfo


def main() -> None:
    runner.run(args_info.HOST, parse=parse_info.nothing, handler=lambda host, _wish: hostinfo.collect(host), shape=results.described)


if __name__ == "__main__":
    main()

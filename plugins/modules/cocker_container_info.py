#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_container_info
short_description: Tell about containers
version_added: 0.1.0
description:
  - Tells whether a container exists and what it is, or lists all containers.
  - Never changes anything, and does not fail where there is nothing.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._attributes.info
  - cocker.engine._common
options:
  name:
    description:
      - The name of the container. Not set, all containers are listed.
    type: str
    aliases: [container]
  gather:
    description:
      - What else to tell, below C(Cocker) of each container. Nothing is run in it for that, so an image needs no C(ps).
      - V(processes) as C(Processes), each with its process id on the host and in the container, user id, state, memory and command.
      - V(stats) as C(Stats), the counters of CPU, memory, processes, block devices and network, named as in C(docker stats).
      - V(logs) as C(Logs), what it wrote, by stream and line by line.
      - V(execs) as C(Execs), the commands that M(cocker.engine.cocker_container_exec) started and did not wait for, with their
        output, code and, while they run, C(Pid) on the host.
      - V(size) as C(SizeRw), the bytes of the files that it has written outside its volumes, and C(SizeRootFs), with those of its images.
      - V(diff) as C(Diff), what it has changed of its images. Each C(Path) has a C(Kind), V(A) added, V(C) changed or V(D) deleted. Of a
        deleted directory only itself is listed; a directory is changed also where something in it is. No file is read for that.
    type: list
    elements: str
    choices: [processes, stats, logs, execs, size, diff]
    default: []
  tail:
    description:
      - Of V(logs) and V(execs), only so many lines from the end.
    type: int
  since:
    description:
      - Of V(logs) and V(execs), only what was written since a time, such as V(2026-01-12T08:30:00Z), or so long ago, such as V(10m).
    type: str
  exec_id:
    description:
      - Of V(execs), only the command of this id. Its beginning is enough.
    type: str
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_container
"""

EXAMPLES = r"""
- name: Look at one container
  cocker.engine.cocker_container_info:
    name: web
  register: info

- name: It must be running
  ansible.builtin.assert:
    that:
      - info.exists
      - info.container.State.Running

- name: What it wrote last, and what it costs
  cocker.engine.cocker_container_info:
    name: web
    gather: [logs, processes, stats]
    tail: 20
  register: web

- name: What was changed in it by hand
  cocker.engine.cocker_container_info:
    name: web
    gather: [diff, size]
  register: written

- name: Show the files
  ansible.builtin.debug:
    msg: "{{ written.container.Cocker.SizeRw }} bytes in {{ written.container.Cocker.Diff | map(attribute='Path') }}"

- name: The names of all containers that have ended
  cocker.engine.cocker_container_info:
  register: all

- name: Show them
  ansible.builtin.debug:
    msg: "{{ all.containers | selectattr('State.Status', 'equalto', 'exited') | map(attribute='Name') }}"
"""

RETURN = r"""
exists:
  description: Whether there is what was asked for; without a name, whether there is any at all.
  returned: success
  type: bool
  sample: true
container:
  description:
    - The container that was asked for, as C(docker inspect) shows it.
    - V(null) where it does not exist, or where no name was given.
  returned: success
  type: dict
  sample:
    Config: {Hostname: web, Image: "debian:12"}
    Id: 3f1c5f3d6b9c4a44
    Name: /web
    State: {Running: true, Status: running}
containers:
  description: What was found, each as in RV(container).
  returned: success
  type: list
  elements: dict
  sample:
    - Config: {Hostname: web, Image: "debian:12"}
      Id: 3f1c5f3d6b9c4a44
      Name: /web
      State: {Running: true, Status: running}
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import info


def main() -> None:
    runner.run(args_info.CONTAINER, parse=parse_info.container, handler=info.gathered, shape=parse_info.told)


if __name__ == "__main__":
    main()

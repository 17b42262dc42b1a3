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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import info


def main() -> None:
    runner.run(args_info.CONTAINER, parse=parse_info.named, handler=info.containers, shape=results.listed("container", "containers"))


if __name__ == "__main__":
    main()

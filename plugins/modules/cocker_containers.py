#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_containers
short_description: Manage many containers in one task
version_added: 0.1.0
description:
  - Makes, changes, starts, stops and removes containers as M(cocker.engine.cocker_container) does, many in one task.
  - Those that have something to do are worked on side by side, in processes of the task's own. One that stops, fetches its image or
    becomes healthy hinders no other, unless that one waits for it.
  - A failure of one container does not keep the others from being worked on. The task then fails at its end, and says of each
    container what became of it.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
attributes:
  idempotent:
    support: partial
    details:
      - Where a container is to be restarted or made anew, it is always done.
options:
  containers:
    description:
      - The containers. Each is a dictionary with the options of M(cocker.engine.cocker_container), which are validated as they are there.
      - In addition, C(depends_on) lists the names of containers that must run before this one is started. They may be others of this
        task or containers that are there already. In place of a name it may hold a dictionary of C(name) and C(condition), which is
        V(started) or V(healthy). What has to be healthy is waited for as long as C(healthy_wait_timeout) says.
      - A container that shares the network, the IPC or the pid namespace of another depends on it.
      - What others depend on is started first, and stopped and removed last. Those that stop or go are done before all others.
    type: list
    elements: dict
    required: true
  defaults:
    description:
      - Options for all containers, under what each says itself. The option of a container replaces that of the defaults as a whole,
        dictionaries and lists too.
    type: dict
  state:
    description:
      - What is wanted of all containers, whatever each says of its own state. With V(absent) the task that made them removes them.
    type: str
    choices: [absent, created, healthy, paused, present, started, stopped]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_container
  - module: cocker.engine.cocker_container_info
"""

EXAMPLES = r"""
- name: An application and what it needs
  cocker.engine.cocker_containers:
    defaults:
      image: debian:12
      networks:
        - name: app0
      labels:
        application: shop
    containers:
      - name: database
        command: [python3, -m, http.server, "5432"]
        volumes: ["shopdata:/data"]
        memory: 256M
        healthcheck:
          test: nc -z localhost 5432
          interval: 5s
      - name: cache
        command: [python3, -m, http.server, "6379"]
      - name: web
        command: [python3, -m, http.server, "8080"]
        published_ports: ["8080:8080"]
        depends_on:
          - cache
          - name: database
            condition: healthy
  register: shop

- name: What became of each
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.plan.action }}"
  loop: "{{ shop.results }}"
  loop_control:
    label: "{{ item.name }}"

- name: Workers that are alike, one with more memory
  cocker.engine.cocker_containers:
    defaults:
      image: worker
      network_mode: none
      memory: 32M
    containers:
      - name: worker1
      - name: worker2
      - name: worker3
        memory: 64M

- name: Remove the application, the web server first; its volume stays
  cocker.engine.cocker_containers:
    state: absent
    containers:
      - name: database
      - name: cache
      - name: web
        depends_on: [database, cache]
"""

RETURN = r"""
results:
  description: What became of each container, in the order of O(containers).
  returned: always, but for a task whose options are wrong
  type: list
  elements: dict
  contains:
    name:
      description: The container.
      returned: always
      type: str
      sample: web
    changed:
      description: Whether something was done, or would be in check mode.
      returned: always
      type: bool
    container:
      description: As RV(cocker.engine.cocker_container#module:container).
      returned: where it did not fail
      type: dict
    actions:
      description: As RV(actions), of this container.
      returned: where it did not fail
      type: list
      elements: dict
    plan:
      description: As RV(cocker.engine.cocker_container#module:plan).
      returned: where it did not fail
      type: dict
    diff:
      description: As RV(cocker.engine.cocker_container#module:diff).
      returned: where it did not fail
      type: dict
    failed:
      description: V(true) where it failed.
      returned: on failure
      type: bool
    msg:
      description: Why it failed.
      returned: on failure
      type: str
    rolled_back:
      description: That what was done before the failure is undone.
      returned: on failure, where something had been done
      type: bool
containers:
  description: All containers that exist, as C(docker inspect) shows them.
  returned: always, but for a task whose options are wrong
  type: list
  elements: dict
actions:
  description: What was done, or would be done in check mode, container by container.
  returned: always, but for a task whose options are wrong
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      returned: always
      type: str
      sample: start
    name:
      description: To what.
      returned: always
      type: str
      sample: web
plan:
  description: The same in one word, and why.
  returned: always, but for a task whose options are wrong
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done, V(several) where different things are.
      returned: always
      type: str
      sample: create
    reasons:
      description: One sentence for each reason, with the name of the container before it.
      returned: always
      type: list
      elements: str
      sample: ["web: the container does not exist"]
diff:
  description: What changes, before and after, for each container that does. Ansible shows it with C(--diff).
  returned: always, but for a task whose options are wrong
  type: list
  elements: dict
  contains:
    before_header:
      description: The container.
      returned: always
      type: str
    after_header:
      description: The container.
      returned: always
      type: str
    before:
      description: What was found, of what changes.
      returned: always
      type: dict
    after:
      description: What is wanted instead.
      returned: always
      type: dict
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_containers, parse_containers, results_together, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import containers_together


def main() -> None:
    runner.run(args_containers.SPEC, parse=parse_containers.wish, handler=containers_together.ensure, shape=results_together.together)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_network
short_description: Manage networks that containers are on
version_added: 0.1.0
description:
  - Makes bridges of the host with an IPv4 subnet, whose containers reach each other and, translated to the host's address, the outside.
  - Addresses, firewall rules and links are the engine's own. Nothing that others made on the host is touched.
  - The network V(cocker0) with the subnet V(10.166.88.0/24) is made when a container needs it and it does not exist.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
options:
  name:
    description:
      - The name of the network. It is also the name of the bridge on the host, where the kernel takes it (15 letters,
        digits, V(-) and V(_)).
    type: str
    required: true
    aliases: [network_name]
  state:
    description:
      - V(present) makes the network, or changes it.
      - V(absent) removes it. This is refused while a container is on it.
    type: str
    choices: [absent, present]
    default: present
  driver:
    description:
      - What kind of network it is. There is one kind.
    type: str
    choices: [bridge]
  ipam_config:
    description:
      - The addresses of the network, as a list of one entry.
      - Not set or empty, a free subnet is chosen when the network is made, and kept.
      - The subnet and the gateway of a network that containers are on cannot be changed.
    type: list
    elements: dict
    suboptions:
      subnet:
        description:
          - The subnet with its prefix length, such as V(10.66.1.0/24). A subnet that overlaps a route of the host is refused.
        type: str
      gateway:
        description:
          - The host's address in the subnet. Not set, it is the first of the subnet.
        type: str
      iprange:
        description:
          - The part of the subnet from which containers without an address of their own get one, such as V(10.66.1.128/25).
        type: str
      aux_addresses:
        description:
          - Addresses that no container gets, each with a name that tells what they are for.
        type: dict
  mtu:
    description:
      - The largest packet on the network, in bytes, from V(576) to V(65535). Left out, it is 1500.
    type: int
  internal:
    description:
      - Whether the outside is out of reach, and the network out of the outside's. Left out, it is not.
    type: bool
  isolate:
    description:
      - Whether the network is kept apart from the other networks of the engine. Left out, it is.
    type: bool
  icc:
    description:
      - Whether the containers of the network reach each other. Left out, they do.
    type: bool
  labels:
    description:
      - Labels of the network. Numbers and booleans become text.
      - Left out, the network has none.
    type: dict
    aliases: [label]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_network_info
  - module: cocker.engine.cocker_container
"""

EXAMPLES = r"""
- name: A network with any free subnet
  cocker.engine.cocker_network:
    name: backend
  register: backend

- name: A network with a subnet of its own, for containers with fixed addresses
  cocker.engine.cocker_network:
    name: web0
    ipam_config:
      - subnet: 10.66.1.0/24
        gateway: 10.66.1.1
        iprange: 10.66.1.128/25     # fixed addresses are given out below it

- name: A network for databases, which reach nothing but each other
  cocker.engine.cocker_network:
    name: databases
    internal: true
    mtu: 1400
    labels:
      tier: data

- name: Remove a network that no container is on
  cocker.engine.cocker_network:
    name: backend
    state: absent
"""

RETURN = r"""
network:
  description:
    - The network, as C(docker network inspect) shows it.
    - V(null) where it does not exist.
  returned: success
  type: dict
  sample:
    Containers: {}
    Driver: bridge
    IPAM:
      Config: [{Gateway: 10.66.1.1, IPRange: 10.66.1.128/25, Subnet: 10.66.1.0/24}]
      Driver: default
    Internal: false
    Labels: {}
    Name: web0
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      returned: always
      type: str
      sample: create
    name:
      description: To what.
      returned: always
      type: str
      sample: web0
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: create
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the network does not exist"]
diff:
  description: What changes, before and after. Ansible shows it with C(--diff).
  returned: success
  type: dict
  contains:
    before:
      description: What was found, of what changes.
      returned: always
      type: dict
    after:
      description: What is wanted instead.
      returned: always
      type: dict
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_network, parse_network, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import networks


def main() -> None:
    runner.run(args_network.SPEC, parse=parse_network.wish, handler=networks.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

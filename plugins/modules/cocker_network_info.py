#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_network_info
short_description: Tell about networks
version_added: 0.1.0
description:
  - Tells whether a network exists and what it is, or lists all networks.
  - Never changes anything, and does not fail where there is nothing.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._attributes.info
  - cocker.engine._common
options:
  name:
    description:
      - The name of the network. Not set, all networks are listed.
    type: str
    aliases: [network_name]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_network
"""

EXAMPLES = r"""
- name: Look at one network
  cocker.engine.cocker_network_info:
    name: web0
  register: web0

- name: Its gateway
  ansible.builtin.debug:
    msg: "{{ web0.network.IPAM.Config[0].Gateway }}"

- name: All networks
  cocker.engine.cocker_network_info:
  register: all
"""

RETURN = r"""
exists:
  description: Whether there is what was asked for; without a name, whether there is any at all.
  returned: success
  type: bool
  sample: true
network:
  description:
    - The network that was asked for, as C(docker network inspect) shows it.
    - V(null) where it does not exist, or where no name was given.
  returned: success
  type: dict
  sample:
    Driver: bridge
    IPAM: {Config: [{Gateway: 10.66.1.1, Subnet: 10.66.1.0/24}], Driver: default}
    Name: web0
networks:
  description: What was found, each as in RV(network).
  returned: success
  type: list
  elements: dict
  sample:
    - Driver: bridge
      IPAM: {Config: [{Gateway: 10.66.1.1, Subnet: 10.66.1.0/24}], Driver: default}
      Name: web0
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import info


def main() -> None:
    runner.run(args_info.NETWORK, parse=parse_info.named, handler=info.networks, shape=results.listed("network", "networks"))


if __name__ == "__main__":
    main()

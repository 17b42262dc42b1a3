# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a container is reached, and what it reaches."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  network_mode:
    description:
      - V(bridge) connects the container to O(networks), and is what a container gets where nothing is said.
      - V(host) lets it use the host's own network.
      - V(none) gives it a network of its own that has only the loopback interface.
      - V(custom) does the same, and keeps it for you to fill under C(/run/netns), where C(ip netns) finds it.
    type: str
    choices: [bridge, host, none, custom]
    aliases: [net, network]
  networks:
    description:
      - The networks that the container is on. The first is where its default route goes.
      - Not set, it is on V(cocker0), which is made when it is first needed. An empty list is no network.
      - Needs O(network_mode=bridge).
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of a network, as M(cocker.engine.cocker_network) makes it.
        type: str
        required: true
      ipv4_address:
        description:
          - The container's address on this network. Not set, a free one is chosen when the container is made, and kept.
        type: str
  ipv4_address:
    description:
      - The container's address, where it is on one network only.
      - Short for O(networks[].ipv4_address).
    type: str
    aliases: [ip, vip]
  published_ports:
    description:
      - Ports of the host that lead to the container, each as V(CONTAINER), V(HOST:CONTAINER) or
        V(ADDRESS:HOST:CONTAINER), where the ports may be ranges of equal length, followed by V(/udp) where it is not TCP.
      - Without a host port, a free one is chosen when the container starts. Without an address, every address of the host leads there.
      - Must be quoted. YAML reads V(22:22) without quotes as the number 1342, so numbers are refused.
      - Needs O(network_mode=bridge).
    type: list
    elements: raw
    aliases: [port_mapping, ports, publish, published]
"""

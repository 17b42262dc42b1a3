#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_network
short_description: Manage networks that containers are on
version_added: 0.1.0
description:
  - Makes bridges of the host with an IPv4 subnet and, where it is wanted, an IPv6 one, whose containers reach each other and, translated
    to the host's address, the outside. With macvlan and ipvlan containers are neighbours of the hosts on one of the host's links; with
    vxlan a network spans several hosts.
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
      - V(bridge) is a bridge of its own with the host as gateway, and what a network is where nothing is said.
      - V(macvlan) and V(ipvlan) put containers on a link of the host, named by O(driver_options). Their addresses are those of the
        network beyond that link, whose gateway is not the host; the host itself cannot reach them; ports cannot be published. The kernel
        must have the driver; one that has not is refused.
      - V(vxlan) is a bridge as well, one on each of several hosts, tied together by a VXLAN tunnel to each of O(peers). Containers of all
        hosts are neighbours in one subnet. Nothing runs for it, and no multicast is used; what the hosts know of one another is what
        the play says. The hosts must let the tunnel's UDP port through; packets for this network from other addresses than those of
        O(peers) are dropped. The traffic is not encrypted, so that it belongs on a network which is trusted.
    type: str
    choices: [bridge, ipvlan, macvlan, vxlan]
  driver_options:
    description:
      - V(bridge_name) names the bridge. V(mtu), V(icc) and V(isolate) are the options of those names.
      - V(parent) is the link of the host for macvlan and ipvlan, and V(mode) how containers share it. For macvlan V(bridge) (the default),
        V(private), V(vepa), V(passthru), for ipvlan V(l2) (the default), V(l3), V(l3s).
      - For vxlan V(vni) (or V(id)), a number from V(1) to V(16777215), is the network's own and the same on all hosts, as is V(port), the
        UDP port, V(4789) if it is not set. V(local) is this host's address for the tunnels, and V(parent) (or V(dev)) the link that they
        leave by; the routes of the host say so otherwise.
      - V(com.docker.network.bridge.name), V(com.docker.network.driver.mtu), V(com.docker.network.bridge.enable_icc), V(macvlan_mode) and
        V(ipvlan_mode) are accepted, too. Any other is refused.
    type: dict
  peers:
    description:
      - The hosts of a network with O(driver=vxlan). The host itself may be among them and is left out, so that the list can be the same for
        all hosts. Left out, there are none.
      - It can change while containers run, and they do not notice.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - The address at which the host is reached, of IPv4 or IPv6, the same for all. Host names are not looked up.
        type: str
        required: true
        aliases: [host]
      names:
        description:
          - The names of the containers there, each with an address or a list of them. They are in C(/etc/hosts) of this host's containers
            on the network, and no container of this host gets one of the addresses.
          - C(Names) of RV(network) on that host is what belongs here.
        type: dict
  enable_ipv6:
    description:
      - Gives the network an IPv6 subnet where O(ipam_config) names none. It is a unique local one that follows from the network's name.
      - Containers get an address of it beside the IPv4 one. The host then forwards IPv6; links of the host that listen to router
        advertisements go on doing so.
    type: bool
  uplink:
    description:
      - The link of the host by which the network's containers reach the outside. What the host would send by another link is dropped.
      - Left out, it is any. Published ports are reached by all links.
    type: str
    aliases: [host_eth]
  force:
    description:
      - Changes what cannot be changed while containers are on the network (subnet, gateway, driver, the name of the bridge). Those that run
        are connected anew and get other addresses, where theirs do not fit. An address that a container asks for must fit.
    type: bool
    default: false
  ipam_config:
    description:
      - The addresses of the network, as a list of one entry for IPv4 and one for IPv6.
      - Without an entry for IPv4, a free subnet is chosen when the network is made, and kept.
      - The subnet and the gateway of a network that containers are on cannot be changed, except with O(force).
    type: list
    elements: dict
    suboptions:
      subnet:
        description:
          - The subnet with its prefix length, such as V(10.66.1.0/24) or V(fd00:66:1::/64). A subnet that overlaps a route of the host
            is refused.
        type: str
      gateway:
        description:
          - The host's address in the subnet. Not set, it is the first of the subnet, with O(driver=vxlan) the first of
            O(ipam_config[].iprange).
        type: str
      iprange:
        description:
          - The part of the subnet from which containers without an address of their own get one, such as V(10.66.1.128/25).
          - With O(driver=vxlan) it is needed, and must be another part on each host.
        type: str
      aux_addresses:
        description:
          - Addresses that no container gets, each with a name that tells what they are for.
        type: dict
  mtu:
    description:
      - The largest packet on the network, in bytes, from V(576) to V(65535). Left out, it is 1500, with O(driver=vxlan) that of the link to
        the other hosts less 50 (less 70 where they speak IPv6).
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

- name: A network with IPv4 and IPv6 that leaves by one link of the host only
  cocker.engine.cocker_network:
    name: dual
    ipam_config:
      - subnet: 10.66.4.0/24
      - subnet: fd00:66:4::/64
    uplink: eth0

- name: A network on the office's own, next to its other machines
  cocker.engine.cocker_network:
    name: office
    driver: macvlan
    driver_options:
      parent: eth0
    ipam_config:
      - subnet: 192.0.2.0/24
        gateway: 192.0.2.1
        iprange: 192.0.2.192/27

# A network over all hosts of a group. Each host has a part of the subnet in the inventory, such as `overlay_range: 10.66.50.64/26`,
# and group_vars say what each host is for the others:
#
#   overlay_peer:
#     address: "{{ ansible_host }}"
#     names: "{{ overlay_names | default({}) }}"

- name: The network, on each host of the play
  cocker.engine.cocker_network: &overlay
    name: overlay
    driver: vxlan
    driver_options:
      vni: 42
    ipam_config:
      - subnet: 10.66.50.0/24
        iprange: "{{ overlay_range }}"
    peers: "{{ ansible_play_hosts_all | map('extract', hostvars, 'overlay_peer') | list }}"

- name: A container on each
  cocker.engine.cocker_container:
    name: "app-{{ inventory_hostname }}"
    image: app
    networks:
      - name: overlay

- name: Look what the containers are called, and where they are
  cocker.engine.cocker_network_info:
    name: overlay
  register: overlay

- name: Keep it for the others
  ansible.builtin.set_fact:
    overlay_names: "{{ overlay.network.Names }}"

- name: The network again, on which all names are known now
  cocker.engine.cocker_network: *overlay

- name: Remove a network that no container is on
  cocker.engine.cocker_network:
    name: backend
    state: absent
"""

RETURN = r"""
network:
  description:
    - The network, as C(docker network inspect) shows it. With O(driver=vxlan) C(Peers) are the other hosts, and C(Names) the names of this
      host's containers with their addresses, as O(peers[].names) of the other hosts takes them.
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

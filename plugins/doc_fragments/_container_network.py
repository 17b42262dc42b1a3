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
      - V(custom) does the same, and keeps it for you to fill under C(/run/netns), where C(ip netns) finds it;
        C(NetworkSettings.SandboxKey) of RV(container) is its path.
      - V(container:NAME) shares the network of another container, its C(/etc/hosts) and its C(/etc/resolv.conf). That one must
        run first. When it is started anew it has a new network, and the next task on this one restarts it, too.
      - Any other value is the name of a network, short for O(networks) with this one. V(default) is V(bridge).
      - A list of names is short for O(networks) with these. Each may say more of itself, as in V(NAME:ip=10.66.1.10,alias=db), with V(ip),
        V(ip6), V(mac) and V(alias).
    type: raw
    aliases: [net, network]
  networks:
    description:
      - The networks that the container is on. The first that is not internal is where its default route goes, and where its
        published ports lead.
      - A container that runs is connected and disconnected while it runs. Interfaces that stay keep their name.
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
      ipv6_address:
        description:
          - The container's IPv6 address, on a network that has IPv6. Not set, a free one is chosen and kept.
        type: str
      mac_address:
        description:
          - The MAC address of its interface. Not set, it follows from the IP address.
        type: str
      aliases:
        description:
          - Further names under which the other containers of this network find it.
        type: list
        elements: str
      links:
        description:
          - The same as O(links), where it is said for one network. It holds on every network that both containers are on.
        type: list
        elements: str
  network_aliases:
    description:
      - Further names under which the other containers find it, on each of its networks that says no O(networks[].aliases).
    type: list
    elements: str
    aliases: [network_alias]
  ipv4_address:
    description:
      - The container's address, where it is on one network only.
      - Short for O(networks[].ipv4_address).
    type: str
    aliases: [ip, vip]
  ipv6_address:
    description:
      - The container's IPv6 address, where it is on one network only.
      - Short for O(networks[].ipv6_address).
    type: str
    aliases: [ip6]
  mac_address:
    description:
      - The MAC address of the container's interface, where it is on one network only.
      - Short for O(networks[].mac_address).
    type: str
  published_ports:
    description:
      - Ports of the host that lead to the container, each as V(CONTAINER), V(HOST:CONTAINER) or
        V(ADDRESS:HOST:CONTAINER), where the ports may be ranges of equal length, followed by V(/udp) where it is not TCP.
      - A range of the host for one port of the container, such as V(8000-8010:80), stands for the lowest port of it that is free when the
        container starts. The choice is kept while the container exists, as long as nobody else has taken the port.
      - Without a host port, a free one is chosen when the container starts. Without an address, every address of the host leads there,
        the IPv6 ones too where the container has IPv6. V(::1) alone cannot lead to a container.
      - Must be quoted. YAML reads V(22:22) without quotes as the number 1342, so numbers are refused.
      - Needs O(network_mode=bridge).
    type: list
    elements: raw
    aliases: [port_mapping, ports, publish, published]
  publish_all_ports:
    description:
      - Publishes every port of O(exposed_ports) and every port that the image exposes, and that O(published_ports) does not name, on
        a free port of the host from 49153 up. The choice is kept while the container exists.
    type: bool
    aliases: [publish_all]
  exposed_ports:
    description:
      - Ports that the container serves, such as V(80), V(53/udp) or V(8000-8002). They are published by O(publish_all_ports) only;
        containers of the same network reach every port anyway.
    type: list
    elements: raw
    aliases: [expose, exposed]
  publish_scope:
    description:
      - From where published ports that name no address are reached. V(any) is every address of the host, V(loopback) the host alone.
      - For all containers at once, set it in C(module_defaults). It holds for the ports that the same task names, and for
        O(publish_all_ports).
      - Mutually exclusive with O(default_host_ip).
    type: str
    choices: [any, loopback]
  default_host_ip:
    description:
      - The address of the host for published ports that name none. An empty string is every address.
      - Mutually exclusive with O(publish_scope).
    type: str
  etc_hosts:
    description:
      - Further lines of the container's C(/etc/hosts), each a name and its address. V(host-gateway) stands for the address of the host
        on the container's network.
      - The engine writes C(/etc/hosts) and keeps it true while the container runs. It holds the names and aliases of all containers
        that run on one of its networks. What is written into the file inside the container does not stay.
    type: dict
    aliases: [add_hosts]
  dns_servers:
    description:
      - The name servers in the container's C(/etc/resolv.conf). Not set, those of the host that a container can reach; none where all
        its networks are internal. An empty list is none.
    type: list
    elements: str
    aliases: [dns]
  dns_opts:
    description:
      - The options of C(/etc/resolv.conf). Not set, those of the host.
    type: list
    elements: str
    aliases: [dns_option]
  dns_search_domains:
    description:
      - The search list of C(/etc/resolv.conf). Not set, that of the host. An empty list, or a single dot, is none.
    type: list
    elements: str
    aliases: [dns_search]
  links:
    description:
      - Containers on the same network that get a further name for this container alone, as V(CONTAINER:NAME).
    type: list
    elements: str
"""

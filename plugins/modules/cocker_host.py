#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_host
short_description: Make a host ready for containers
version_added: 0.1.0
description:
  - Loads kernel modules, turns IPv4 forwarding on, installs the command C(cocker) and the service that brings containers back
    after a reboot, all in one look at the host, and says which libraries and commands are missing.
  - It installs no packages. The role P(cocker.engine.host#role) does that, and is what playbooks use; it calls this module.
  - What it has done is on the disk when it returns.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
options:
  kernel_modules:
    description:
      - Kernel modules to load now and at boot. What is built in, or is no module of this kernel, is left alone, and so is what
        the kernel refuses to load.
      - In a container only its host can load them, and nothing is loaded.
    type: list
    elements: str
    default: []
  ip_forward:
    description:
      - Whether C(net.ipv4.ip_forward) is turned on, now and at boot. If V(false), it is neither read nor written.
    type: bool
    default: false
  commands:
    description:
      - Commands that are looked for, beside what the engine itself needs.
    type: list
    elements: str
    default: []
  command_path:
    description:
      - Where the command C(cocker) is installed. C(cocker-runtime), the OCI runtime for other tools, is a link beside it.
      - Left out, it is not managed. It is the engine of this collection, packed on the controller for the interpreter that the
        module runs on, and is sent only to a host that has another one or none.
    type: path
  command_interpreter:
    description:
      - The interpreter that the command is packed for. The controller adds it.
    type: path
  command_digest:
    description:
      - SHA-256 of the packed command in hexadecimal digits. The controller adds it.
    type: str
  command_archive:
    description:
      - The packed command in base64. The controller adds it where it is needed.
    type: str
  service:
    description:
      - Whether C(cocker.service) is made, enabled and started, where systemd runs the host. It stops the containers of O(cocker_home) at
        shutdown, and at boot brings those with a restart policy back. It needs O(command_path).
      - If V(false), it is neither looked at nor changed.
    type: bool
    default: false
  needs_pyroute2:
    description:
      - Whether a host whose interpreter has no pyroute2 is incomplete.
    type: bool
    default: true
  incomplete:
    description:
      - What to do where libraries or commands are missing. V(stop) changes nothing and tells them, so that they can be brought
        first. V(continue) does the rest, and tells them, too.
    type: str
    choices: [continue, stop]
    default: continue
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_host_info
"""

EXAMPLES = r"""
- name: What the role host does on a host that has the libraries
  cocker.engine.cocker_host:
    kernel_modules: [overlay, bridge, veth]
    ip_forward: true
    command_path: /usr/local/bin/cocker
    service: true

- name: Which of the libraries are missing, before anything is done
  cocker.engine.cocker_host:
    command_path: /usr/local/bin/cocker
    incomplete: stop
  register: answer

- name: Tell them
  ansible.builtin.debug:
    var: answer.host.Missing
"""

RETURN = r"""
host:
  description: What was found, before anything was done.
  returned: success
  type: dict
  sample:
    Missing: [libnftables]
    MissingCommands: []
    Pyroute2: true
    Python: {Distribution: true, Executable: /usr/bin/python3, Pip: false}
    Systemd: true
is_stopped:
  description: Whether nothing was done because something is missing, with O(incomplete=stop).
  returned: success
  type: bool
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
      sample: write_file
    name:
      description: To what.
      returned: always
      type: str
      sample: /etc/sysctl.d/60-cocker.conf
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: prepare
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["/etc/sysctl.d/60-cocker.conf is not as it should be"]
diff:
  description: What changes, before and after. Of a file these are its mode and its lines. Ansible shows it with C(--diff).
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_host, parse_host, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import hostready


def main() -> None:
    runner.run(args_host.SPEC, parse=parse_host.wish, handler=hostready.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tasks in a container: through the connection of the host that it is on, and one hop further by the engine's own copy there.

Not here: the way to the host (plugin_utils/gateway.py), what the hop does there (module_utils/engine/hop.py).
"""
from __future__ import annotations

DOCUMENTATION = r"""
name: cocker
short_description: Run tasks in a container of a managed host
version_added: 0.1.0
author:
  - The cocker.engine contributors (!UNKNOWN)
description:
  - Runs tasks in a container of cocker.engine on any host that Ansible can reach. The host is reached by its own connection plugin with
    all its own variables, from there it is one hop into the container, with the rights that the container's own processes have.
  - The image needs nothing at all. Where it has no Python or no shell, those of the host are lent to the command, and nobody else in the
    container sees them. They are never part of its image or its layers.
  - A container that does not run is worked on all the same, in namespaces of its own and with the network of the host. Nothing of
    its own is started, and it cannot be started meanwhile. An image can be looked into in the same way.
notes:
  - On the host the plugin acts as root. Where the host's own connection is no root's, C(ansible_become) of the host is used.
  - The become password of the container's own programs is not asked for; C(become) in a container has to work without.
  - Commands of different tasks in a container that does not run share its files, but no processes.
  - M(ansible.builtin.service) and M(ansible.builtin.sysvinit) work where the image has scripts in C(/etc/init.d), as packages of Debian
    bring them, in a container with O(cocker.engine.cocker_container#module:init=true), which looks after what services leave behind.
    C(enabled) writes links that nothing reads when the container starts. Units of systemd are not started.
extends_documentation_fragment:
  - connection_pipelining
options:
  container:
    description:
      - The name of the container.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_cocker_container
  image:
    description:
      - The name of an image, V(NAME) or V(NAME:VERSION), without a version the largest, whose root is looked into instead of a
        container's; O(container) is of no meaning then.
      - Nothing of the image is started, and nothing can be written there, as containers are made of it. What a task leaves in C(/tmp) goes
        with its command. To change an image, make a container of it with O(cocker.engine.cocker_container#module:state=present), run
        tasks in that, and make an image of it by O(cocker.engine.cocker_image#module:source=container).
      - Modules travel by pipelining, whatever is configured. Those that bring files along, such as M(ansible.builtin.copy) and
        M(ansible.builtin.script), fail.
    type: str
    vars:
      - name: ansible_cocker_image
  via:
    description:
      - The host of the inventory that the container is on.
    type: str
    default: localhost
    vars:
      - name: ansible_cocker_via
  cocker_home:
    description:
      - The directory on that host that holds the engine's store.
    type: str
    default: /var/cocker
    env:
      - name: COCKER_HOME
    vars:
      - name: ansible_cocker_home
  remote_user:
    description:
      - Who runs the tasks, V(USER) or V(USER:GROUP), each a name that the container knows or a number. Not set, it is the container's own.
    type: str
    vars:
      - name: ansible_cocker_user
  extra_env:
    description:
      - Environment variables of all commands, on top of those of the container.
    type: dict
    default: {}
    vars:
      - name: ansible_cocker_extra_env
  working_dir:
    description:
      - The directory in the container that commands start in. Not set, it is the container's own.
    type: str
    vars:
      - name: ansible_cocker_working_dir
  tools:
    description:
      - Whether Python, a shell and basic programs of the host are lent to commands, below C(/dev/.cocker) and at the end of E(PATH).
      - V(auto) does so where the container has no Python or no shell of its own.
    type: str
    choices: [auto, always, never]
    default: auto
    vars:
      - name: ansible_cocker_tools
  host_python:
    description:
      - The Python on the host that the hop runs with. Not set, it is C(ansible_python_interpreter) of the host, if that is a path.
    type: str
    vars:
      - name: ansible_cocker_host_python
"""

EXAMPLES = r"""
- name: A container becomes a host of this play
  hosts: dockyard.example
  tasks:
    - name: Add it
      ansible.builtin.add_host:
        name: web1
        ansible_connection: cocker.engine.cocker
        ansible_cocker_container: web
        ansible_cocker_via: dockyard.example

- name: Ordinary tasks run in it
  hosts: web1
  tasks:
    - name: Such as this one
      ansible.builtin.lineinfile:
        path: /etc/motd
        line: made by a playbook
        create: true
        mode: "0644"

- name: What is in an image
  hosts: dockyard.example
  tasks:
    - name: Packages of the largest version
      ansible.builtin.command:
        argv: [dpkg-query, --show]
      changed_when: false
      register: packages
      delegate_to: web-image
      vars:
        ansible_connection: cocker.engine.cocker
        ansible_cocker_image: web
        ansible_cocker_via: dockyard.example
        ansible_python_interpreter: auto_silent
"""

import os
import shlex
import typing as t

from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

from ansible_collections.cocker.engine.plugins.plugin_utils import gateway

display = Display()

PIECE = 16 << 20        # bytes of a file that travel at once


class Connection(ConnectionBase):  # type: ignore[misc]
    transport = "cocker.engine.cocker"
    has_pipelining = True
    has_tty = False

    def __init__(self, play_context: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(play_context, *args, **kwargs)
        self._host_variables: gateway.Variables = {}
        self._gateway: t.Optional[gateway.Gateway] = None

    def set_options(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().set_options(*args, **kwargs)
        if self.get_option("image"):
            self.set_option("pipelining", True)     # a file of one command is not there for the next

    def _resolve_option_variables(self, variables: gateway.Variables, templar: t.Any) -> t.Dict[str, t.Any]:
        """Beside our own options, the variables of the host that is gone through."""
        found: t.Dict[str, t.Any] = super()._resolve_option_variables(variables, templar)
        via = found.get("ansible_cocker_via", "localhost")
        hosts = variables.get("hostvars")
        if hosts is not None:
            if via not in hosts:
                raise AnsibleError("ansible_cocker_via: %s is not a host of the inventory" % via)
            self._host_variables = hosts[via]
        return found

    def _connect(self) -> Connection:
        if not self._connected:
            self._reached()
            self._play_context.remote_user = (self.get_option("remote_user") or "").partition(":")[0] or None
            self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: t.Optional[bytes] = None, sudoable: bool = True) -> gateway.Answer:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv("EXEC %s" % to_text(cmd), host=self.get_option("container"))
        self._connect()
        return self._reached().ask(self._request("exec", args=_words(to_text(cmd))), in_data)

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        display.vvv("PUT %s TO %s" % (in_path, out_path), host=self.get_option("container"))
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound("%s: no such file" % in_path)
        with open(to_bytes(in_path), "rb") as stream:
            offset, piece = 0, stream.read(PIECE)
            while piece or not offset:
                self._reached().must(self._request("put", path=self._absolute(out_path), offset=offset), piece)
                offset += len(piece)
                piece = stream.read(PIECE)
                if not piece:
                    break

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        display.vvv("FETCH %s TO %s" % (in_path, out_path), host=self.get_option("container"))
        with open(to_bytes(out_path), "wb") as stream:
            offset = 0
            while True:
                piece = self._reached().must(self._request("get", path=self._absolute(in_path), offset=offset, size=PIECE))
                stream.write(piece)
                offset += len(piece)
                if len(piece) < PIECE:
                    break

    def _absolute(self, path: str) -> str:
        folder = self.get_option("working_dir") or "/"
        return to_text(path) if to_text(path).startswith("/") else "%s/%s" % (folder.rstrip("/"), to_text(path))

    def close(self) -> None:
        if self._gateway is not None:
            self._gateway.close()
            self._gateway = None
        self._connected = False

    def reset(self) -> None:
        if self._gateway is not None:
            self._gateway.reset()
        self.close()

    def _reached(self) -> gateway.Gateway:
        if self._gateway is None:
            via, container = self.get_option("via"), self.get_option("image") or self.get_option("container")
            self._gateway = gateway.Gateway(
                via, self._host_variables, home=self.get_option("cocker_home"), play_context=self._play_context,
                python=self.get_option("host_python") or "")
            display.vvv("ESTABLISH CONNECTION TO %s VIA %s (%s)" % (container, via, self._gateway.kind), host=via)
            self._gateway.open()
        return self._gateway

    def _request(self, verb: str, **more: t.Any) -> gateway.Request:
        return {
            "verb": verb, "container": self.get_option("container"),
            "user": self.get_option("remote_user") or "", "cwd": self.get_option("working_dir") or "",
            "env": {str(key): str(value) for key, value in (self.get_option("extra_env") or {}).items()},
            "tools": self.get_option("tools"), "image": self.get_option("image") or "", **more,
        }


def _words(command: str) -> t.List[str]:
    """Ansible gives `/bin/sh -c '...'`, which is run as it is; of anything else a shell makes words."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return words if len(words) == 3 and words[1] == "-c" and words[0].startswith("/") else ["/bin/sh", "-c", command]

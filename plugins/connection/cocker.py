# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tasks in a container: through the connection of the host that it is on, and one hop further by the engine's own copy there.

Not here: what the hop does (module_utils/engine/hop.py).
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
    its own is started, and it cannot be started meanwhile.
notes:
  - On the host the plugin acts as root. Where the host's own connection is no root's, C(ansible_become) of the host is used.
  - The become password of the container's own programs is not asked for; C(become) in a container has to work without.
  - Commands of different tasks in a container that does not run share its files, but no processes.
options:
  container:
    description:
      - The name of the container.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_cocker_container
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
"""

import base64
import functools
import hashlib
import io
import json
import os
import pathlib
import shlex
import typing as t
import zipfile

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

display = Display()

PACKAGE = "ansible_collections/cocker/engine/plugins/module_utils"
NOT_INSTALLED, FAILED = 254, 255
PIECE = 16 << 20        # bytes of a file that travel at once
# Compiled once, as the copy is ours alone and nobody else writes it; named last, so that it is there as a whole or not at all.
_INSTALL = """
import sys, io, os, zipfile, shutil, py_compile
tree, home, prefix = sys.argv[1:4]
new = '%s.new-%d' % (tree, os.getpid())
os.umask(0o077)
os.makedirs(os.path.dirname(tree), exist_ok=True)
shutil.rmtree(new, ignore_errors=True)
with zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())) as archive:
    archive.extractall(new)
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for folder, below, names in os.walk(new):
    for name in names:
        path = os.path.join(folder, name)
        py_compile.compile(path, dfile=tree + path[len(new):], doraise=True, invalidation_mode=mode)
sys.path.insert(0, new)
from ansible_collections.cocker.engine.plugins.module_utils.engine import hop
hop.install(new, home)
try:
    os.rename(new, tree)
except OSError:
    shutil.rmtree(new)
    if not os.path.isdir(tree):
        raise
"""
_HOP = """
import sys
sys.path.insert(0, %r)
try:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import hop
except ModuleNotFoundError:
    sys.exit(254)
hop.main(sys.argv[1:])
"""

Variables = t.Mapping[str, t.Any]
Answer = t.Tuple[int, bytes, bytes]


class Connection(ConnectionBase):  # type: ignore[misc]
    transport = "cocker.engine.cocker"
    has_pipelining = True
    has_tty = False

    def __init__(self, play_context: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(play_context, *args, **kwargs)
        self._host_variables: Variables = {}
        self._host: t.Any = None

    def _resolve_option_variables(self, variables: Variables, templar: t.Any) -> t.Dict[str, t.Any]:
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
            via = self.get_option("via")
            own = self._host_variables
            kind = own["ansible_connection"] if "ansible_connection" in own else "local" if via == "localhost" else C.DEFAULT_TRANSPORT
            if kind == "smart":
                kind = "ssh"
            display.vvv("ESTABLISH CONNECTION TO CONTAINER %s VIA %s (%s)" % (self.get_option("container"), via, kind), host=via)
            self._host = self._made(kind, via)
            self._play_context.remote_user = (self.get_option("remote_user") or "").partition(":")[0] or None
            self._connected = True
        return self

    def _made(self, kind: str, via: str) -> t.Any:
        own = self._host_variables
        context = self._play_context.copy()
        context.remote_addr = own["ansible_host"] if "ansible_host" in own else via
        context.port = own["ansible_port"] if "ansible_port" in own else None
        context.remote_user = own["ansible_user"] if "ansible_user" in own else None
        context.connection, context.become, context.executable = kind, False, "/bin/sh"
        host = connection_loader.get(kind, context, None)
        if host is None:
            raise AnsibleError("the connection plugin %r of host %s was not found" % (kind, via))
        known = C.config.get_plugin_vars("connection", host._load_name)
        host.set_options(var_options=_taken(known, {"inventory_hostname": via, **_lazy(own)}))
        if "ansible_become" in own and boolean(own["ansible_become"]):
            method = own["ansible_become_method"] if "ansible_become_method" in own else C.DEFAULT_BECOME_METHOD
            become = become_loader.get(method)
            if become is None:
                raise AnsibleError("the become plugin %r of host %s was not found" % (method, via))
            become.set_options(var_options=_taken(C.config.get_plugin_vars("become", become._load_name), own))
            host.set_become_plugin(become)
        return host

    def exec_command(self, cmd: str, in_data: t.Optional[bytes] = None, sudoable: bool = True) -> Answer:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv("EXEC %s" % to_text(cmd), host=self.get_option("container"))
        return self._ask("exec", in_data, args=_words(to_text(cmd)), stdin=in_data is not None)

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        display.vvv("PUT %s TO %s" % (in_path, out_path), host=self.get_option("container"))
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound("%s: no such file" % in_path)
        with open(to_bytes(in_path), "rb") as stream:
            offset, piece = 0, stream.read(PIECE)
            while piece or not offset:
                self._must("put", piece, path=self._absolute(out_path), offset=offset)
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
                piece = self._must("get", None, path=self._absolute(in_path), offset=offset, size=PIECE)
                stream.write(piece)
                offset += len(piece)
                if len(piece) < PIECE:
                    break

    def _absolute(self, path: str) -> str:
        folder = self.get_option("working_dir") or "/"
        return to_text(path) if to_text(path).startswith("/") else "%s/%s" % (folder.rstrip("/"), to_text(path))

    def close(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
        self._connected = False

    def reset(self) -> None:
        if self._host is not None and hasattr(self._host, "reset"):
            self._host.reset()
        self.close()

    def _must(self, verb: str, content: t.Optional[bytes], **more: t.Any) -> bytes:
        code, output, errors = self._ask(verb, content, **more)
        if code:
            raise AnsibleConnectionFailure(to_text(errors).strip() or "the hop into the container ended with code %d" % code)
        return output

    def _ask(self, verb: str, content: t.Optional[bytes], **more: t.Any) -> Answer:
        self._connect()
        request = {
            "verb": verb, "home": self.get_option("cocker_home"), "container": self.get_option("container"),
            "user": self.get_option("remote_user") or "", "cwd": self.get_option("working_dir") or "",
            "env": {str(key): str(value) for key, value in (self.get_option("extra_env") or {}).items()},
            "tools": self.get_option("tools"), **more,
        }
        tree = self._tree()
        encoded = base64.b64encode(json.dumps(request).encode()).decode()
        answer = self._on_host(_HOP % tree, [encoded], content)
        if answer[0] == NOT_INSTALLED:
            self._install(tree)
            answer = self._on_host(_HOP % tree, [encoded], content)
        if answer[0] == FAILED and b"cocker: " in answer[2]:
            raise AnsibleConnectionFailure(to_text(answer[2]).rpartition("cocker: ")[2].strip())
        return answer

    def _tree(self) -> str:
        return "%s/engine/hop-%s" % (self.get_option("cocker_home").rstrip("/"), _archive()[0])

    def _install(self, tree: str) -> None:
        """Once for each host and version of the collection."""
        display.vvv("INSTALL ENGINE %s" % tree, host=self.get_option("via"))
        code, output, errors = self._on_host(_INSTALL, [tree, self.get_option("cocker_home"), PACKAGE], _archive()[1])
        if code:
            raise AnsibleConnectionFailure("the engine cannot be installed on %s: %s" % (
                self.get_option("via"), to_text(errors or output).strip()[-1000:]))

    def _on_host(self, code: str, arguments: t.Sequence[str], content: t.Optional[bytes]) -> Answer:
        command = shlex.join([self._python(), "-I", "-S", "-X", "utf8", "-c", code, *arguments])
        become = self._host.become
        if become is not None:
            command = become.build_become_command(command, self._host._shell)
        code_, output, errors = self._host.exec_command(command, in_data=content, sudoable=become is not None)
        return code_, output, errors

    def _python(self) -> str:
        given = self.get_option("host_python")
        if given:
            return str(given)
        found = self._host_variables["ansible_python_interpreter"] if "ansible_python_interpreter" in self._host_variables else ""
        return str(found) if str(found).startswith("/") else "python3"


def _lazy(own: Variables) -> t.Dict[str, t.Any]:
    return {name: own[name] for name in own if name in ("inventory_hostname", "ansible_delegated_vars") or name.startswith("ansible_")
            and name not in ("ansible_facts",)}


def _taken(names: t.Iterable[str], variables: Variables) -> t.Dict[str, t.Any]:
    return {name: variables[name] for name in names if name in variables}


def _words(command: str) -> t.List[str]:
    """Ansible gives `/bin/sh -c '...'`, which is run as it is; of anything else a shell makes words."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return words if len(words) == 3 and words[1] == "-c" and words[0].startswith("/") else ["/bin/sh", "-c", command]


@functools.lru_cache(maxsize=1)
def _archive() -> t.Tuple[str, bytes]:
    """The engine as one archive, with a name that its content has made."""
    top = pathlib.Path(__file__).resolve().parents[1] / "module_utils"
    sources = {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*.py"))}
    digest = hashlib.sha256()
    for name, content in sources.items():
        digest.update(b"%s %d\n" % (name.encode(), len(content)) + content)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        folders = {PACKAGE.split("/")[0]}
        for name in sources:
            parts = (PACKAGE + "/" + name).split("/")[:-1]
            folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        for folder in sorted(folders):
            archive.writestr(folder + "/__init__.py", b"")
        for name, content in sources.items():
            archive.writestr(PACKAGE + "/" + name, content)
    return digest.hexdigest()[:16], packed.getvalue()

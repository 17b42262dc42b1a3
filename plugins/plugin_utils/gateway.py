# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host that containers are on, reached by its own connection plugin, with a copy of the engine there that answers.

For the plugins of the controller that ask such a host outside of a module: connection and inventory. What is asked is in
module_utils/engine/shortcut.py and hop.py.
"""
from __future__ import annotations

import json
import shlex
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

from ansible_collections.cocker.engine.plugins.plugin_utils import sources

display = Display()

NOT_INSTALLED = 254
FAILED = 255
_DIGITS = 16
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
    from ansible_collections.cocker.engine.plugins.module_utils.engine import shortcut
except ModuleNotFoundError:
    raise SystemExit(254)
request = %s
content = shortcut.main(request)
from ansible_collections.cocker.engine.plugins.module_utils.engine import hop
hop.main(request, content)
"""

Variables = t.Mapping[str, t.Any]
Request = t.Mapping[str, t.Any]
Answer = t.Tuple[int, bytes, bytes]


class Gateway:
    """`variables` are those of the host `via`, which holds the engine's store below `home`. Nothing happens before the first question."""

    def __init__(self, via: str, variables: Variables, *, home: str, play_context: t.Any, python: str = "") -> None:
        self.via = via
        self._variables = variables
        self._home = home
        self._python_given = python
        self._play_context = play_context
        self._connection: t.Any = None

    @property
    def kind(self) -> str:
        """The name of the host's own connection plugin."""
        own = self._variables
        kind = own["ansible_connection"] if "ansible_connection" in own else "local" if self.via == "localhost" else C.DEFAULT_TRANSPORT
        return "ssh" if kind == "smart" else str(kind)

    def open(self) -> None:
        """Idempotent. Raises AnsibleError for a plugin that is not there."""
        if self._connection is None:
            self._connection = self._made(self.kind, self.via)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def reset(self) -> None:
        if self._connection is not None and hasattr(self._connection, "reset"):
            self._connection.reset()
        self.close()

    def ask(self, request: Request, content: t.Optional[bytes] = None) -> Answer:
        """Code, output and errors of the engine's copy. Raises AnsibleConnectionFailure where it says that it could not do it."""
        self.open()
        tree = "%s/engine/hop-%s" % (self._home.rstrip("/"), sources.engine_digest()[:_DIGITS])
        plain = json.loads(json.dumps({"home": self._home, "stdin": content is not None, **request}))
        code = _HOP % (tree, ascii(plain))      # as Python reads it: to load json takes the host longer than all else that it does
        answer = self._on_host(code, [], content)
        if answer[0] == NOT_INSTALLED:
            self._install(tree)
            answer = self._on_host(code, [], content)
        if answer[0] == FAILED and b"cocker: " in answer[2]:
            raise AnsibleConnectionFailure(to_text(answer[2]).rpartition("cocker: ")[2].strip())
        return answer

    def must(self, request: Request, content: t.Optional[bytes] = None) -> bytes:
        """The output. Raises AnsibleConnectionFailure for any code but 0."""
        code, output, errors = self.ask(request, content)
        if code:
            raise AnsibleConnectionFailure(to_text(errors).strip() or "the engine's copy on %s ended with code %d" % (self.via, code))
        return output

    def _made(self, kind: str, via: str) -> t.Any:
        own = self._variables
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

    def _install(self, tree: str) -> None:
        """Once for each host and version of the collection."""
        display.vvv("INSTALL ENGINE %s" % tree, host=self.via)
        code, output, errors = self._on_host(_INSTALL, [tree, self._home, sources.PACKAGE], sources.engine_archive())
        if code:
            raise AnsibleConnectionFailure("the engine cannot be installed on %s: %s" % (
                self.via, to_text(errors or output).strip()[-1000:]))

    def _on_host(self, code: str, arguments: t.Sequence[str], content: t.Optional[bytes]) -> Answer:
        command = shlex.join([self._python(), "-I", "-S", "-X", "utf8", "-c", code, *arguments])
        become = self._connection.become
        if become is not None:
            command = become.build_become_command(command, self._connection._shell)
        code_, output, errors = self._connection.exec_command(command, in_data=content, sudoable=become is not None)
        return code_, output, errors

    def _python(self) -> str:
        if self._python_given:
            return self._python_given
        found = self._variables["ansible_python_interpreter"] if "ansible_python_interpreter" in self._variables else ""
        return str(found) if str(found).startswith("/") else "python3"


def _lazy(own: Variables) -> t.Dict[str, t.Any]:
    return {name: own[name] for name in own if name in ("inventory_hostname", "ansible_delegated_vars") or name.startswith("ansible_")
            and name not in ("ansible_facts",)}


def _taken(names: t.Iterable[str], variables: Variables) -> t.Dict[str, t.Any]:
    return {name: variables[name] for name in names if name in variables}

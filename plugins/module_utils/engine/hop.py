# SPDX-License-Identifier: BSD-2-Clause
"""The second hop of the connection plugin, where it needs the engine: a command in a container, or one of its files.
The inventory plugin asks here, too.

Runs from a copy of the engine that the plugin keeps on the host. Imports happen in the functions: a running container needs the fewest.
Not here: the plugin (plugins/connection/cocker.py), the usual command (shortcut.py), commands of modules (exec.py), what does not run
(maintenance.py).
"""
from __future__ import annotations

import json
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import lending, shortcut
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_CHUNK = 1 << 20

Request = lending.Request


def main(request: Request, content: bytes) -> None:
    """One request. The exit code is the command's; FAILED with a sentence on standard error where it was not run."""
    try:
        code = _VERBS[request["verb"]](request, content)
    except CockerError as error:
        fs.write_all(2, ("cocker: %s\n" % error).encode("utf-8", "surrogateescape"))
        code = shortcut.FAILED
    os._exit(code)      # taking the interpreter apart costs more than the rest


def _layout(request: Request) -> Layout:
    return Layout(request["home"])


def _running(layout: Layout, name: str) -> t.Optional[state.State]:
    """Raises NotFound for no such container."""
    found = state.find(layout.container_run(name))
    if found is not None and found.is_running():
        return found
    if not os.path.exists(layout.spec(name)):
        raise NotFound("container", name, "it does not exist")
    return None


def _exec(request: Request, stdin: bytes) -> int:
    layout, name = _layout(request), request["container"]
    found = _running(layout, name) if not request.get("image") else None
    if found is None:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import maintenance

        return maintenance.run(request, stdin)
    root = rootpath.open_root("/proc/%d/root" % found.init.pid)
    args, tools = lending.prepared(root, request, layout)
    os.close(root)
    return _enter(request, layout, args, tools, stdin)


def _enter(request: Request, layout: Layout, args: t.Sequence[str], tools: str, stdin: bytes) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher

    name = request["container"]
    asked = launcher.ExecRequest(
        bundle=layout.container(name), state_dir=layout.container_run(name), args=args, env=request["env"], cwd=request["cwd"],
        user=request["user"], stdin=stdin, tools=tools,
    )
    result = launcher.run_exec(asked, engine=shortcut.installed()[0], python=os.path.realpath(sys.executable))
    fs.write_all(1, result.stdout)
    fs.write_all(2, result.stderr)
    if result.error:
        fs.write_all(2, b"cocker: %s\n" % os.fsencode(result.error))
    return result.rc


def _put(request: Request, content: bytes) -> int:
    """A piece of a file, after `offset` bytes that are there; the file belongs to the user of the connection."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import maintenance

    with maintenance.rooted(request, writable=True) as (root, user):
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if request["offset"] else os.O_TRUNC)
        fd = maintenance.open_file(root, request["path"], flags)
        try:
            if not request["offset"]:
                os.fchown(fd, user.uid, user.gid)
            fs.write_all(fd, content)
        finally:
            os.close(fd)
    return 0


def _get(request: Request, _content: bytes) -> int:
    """At most `size` bytes of a file from `offset` on, to standard output."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import maintenance

    with maintenance.rooted(request, writable=False) as (root, _user):
        fd = maintenance.open_file(root, request["path"], os.O_RDONLY)
        try:
            left, offset = request["size"], request["offset"]
            while left > 0:
                piece = os.pread(fd, min(_CHUNK, left), offset)
                if not piece:
                    break
                fs.write_all(1, piece)
                left, offset = left - len(piece), offset + len(piece)
        finally:
            os.close(fd)
    return 0


def _list(request: Request, _content: bytes) -> int:
    """All containers, as inspect.py shows them, to standard output."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import info
    from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host

    shown = info.containers(Host(_layout(request), dry_run=True), None)
    fs.write_all(1, json.dumps(shown).encode("ascii"))
    return 0


def install(tree: str, home: str) -> None:
    """After the copy has been unpacked: the engine that launchers run from, and where it is."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle
    from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher

    layout = Layout(home)
    layout.ensure()
    engine = bundle.install(layout.engine)
    fs.write_atomic(os.path.join(tree, shortcut.KNOWN), shortcut.note(
        engine, containers=layout.containers, runs=layout.containers_run, key=launcher.key_of(engine, sys.executable)))


_VERBS: t.Dict[str, t.Callable[[Request, bytes], int]] = {"exec": _exec, "put": _put, "get": _get, "list": _list}

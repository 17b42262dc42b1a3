# SPDX-License-Identifier: BSD-2-Clause
"""What of a container's own files would keep its process from starting: a user, a group or a program that is not there.

Looked up in its layers, nothing is mounted and nothing is run: for a dry run, and before the process that runs is stopped for another one.
What lies on a mount, or cannot be read, is left for the start to find. Not here: what is not in its files (checks.py).
"""
from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import compile, processes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults, users
from ansible_collections.cocker.engine.plugins.module_utils.storage import snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.overlaytree import Node, Tree

_OURS = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_LINKS = 40     # as many as the kernel follows


class _Unknown(Exception):
    """It is not in the layers, or it is no plain file there."""


def check(host: Host, record: ContainerRecord, *, resets: bool) -> None:
    """`resets`: what was written goes. Raises Invalid that names the option."""
    if host.kept.foreseen:      # layers that are still to be fetched
        return
    upper = os.path.join(host.layout.container(record.spec.name), snapshots.UPPER)
    written = [] if resets or not os.path.isdir(upper) else [upper]
    with contextlib.ExitStack() as stack:
        files = _Files(Tree([*written, *compile.lower(host.layout, record)], stack), stack, record)
        for look in (_accounts, _directory, _program):
            with contextlib.suppress(_Unknown):
                look(files, record)


class _Files:
    """As the container's first process will see them."""

    def __init__(self, tree: Tree, stack: contextlib.ExitStack, record: ContainerRecord) -> None:
        self._tree, self._stack = tree, stack
        self._mounted = {mount.target for mount in record.spec.mounts or ()}.union(_OURS)

    def find(self, path: str) -> t.Optional[Node]:
        """Links are followed within the root."""
        nodes, names, links = [self._tree.root()], [""], 0
        pending = path.split("/")[::-1]
        while pending:
            name, here = pending.pop(), nodes[-1]
            if name == ".." and len(nodes) > 1:
                nodes.pop(), names.pop()
            if name in ("", ".", ".."):
                continue
            path = "/".join([*names, name])
            node = self._tree.child(here, name, self._stack) if here is not None and here.is_directory else None
            if path in self._mounted or (node is None and any(target.startswith(path + "/") for target in self._mounted)):
                raise _Unknown
            if node is None:
                return None
            if stat.S_ISLNK(node.facts.st_mode):
                links, target = links + 1, node.target()
                if links > _LINKS:
                    raise _Unknown
                pending.extend(reversed(target.split("/")))
                nodes, names = (nodes[:1], names[:1]) if target.startswith("/") else (nodes, names)
                continue
            nodes.append(node)
            names.append(name)
        return nodes[-1]

    def read(self, path: str) -> bytes:
        """Empty where there is none."""
        node = self.find(path)
        if node is None:
            return b""
        if not stat.S_ISREG(node.facts.st_mode) or node.facts.st_size > users.LARGEST:
            raise _Unknown
        fd = os.open(node.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=node.parent_fd)
        try:
            return os.read(fd, users.LARGEST)
        finally:
            os.close(fd)


def _accounts(files: _Files, record: ContainerRecord) -> None:
    wanted = {"user": [processes.process(record.spec, record.config).user], "groups": ["0:" + name for name in record.spec.groups or ()]}
    if not any(word for words in wanted.values() for word in words):
        return
    passwd, group = files.read("/etc/passwd"), files.read("/etc/group")
    for option, words in wanted.items():
        for word in filter(None, words):
            try:
                users.resolve(word, passwd=passwd, group=group)
            except NotFound as error:
                raise Invalid(option, "%s %s: %s" % (error.op, error.subject, error.reason)) from error


def _directory(files: _Files, record: ContainerRecord) -> None:
    """What is missing of it is made at the start."""
    parts = processes.process(record.spec, record.config).cwd.strip("/").split("/")
    for count in range(1, len(parts) + 1):
        path = "/" + "/".join(parts[:count])
        node = files.find(path)
        if node is None:
            return
        if not node.is_directory:
            raise Invalid("working_dir", "%s is a file there, and no directory" % path)


def _program(files: _Files, record: ContainerRecord) -> None:
    """exec(3) tries each directory of the container's PATH."""
    said = processes.process(record.spec, record.config)
    if not said.args:
        return
    name, env = said.args[0], processes.pairs(said.env)
    folders = [said.cwd] if "/" in name else (env.get("PATH") or defaults.PATH).split(":")
    found = [files.find(os.path.join(said.cwd, folder, name)) for folder in folders]
    if any(node is not None and stat.S_ISREG(node.facts.st_mode) and node.facts.st_mode & 0o111 for node in found):
        return
    reason = "there is no such program in it" if not any(found) else "it is no program that can be executed"
    raise Invalid("entrypoint" if said.entrypoint else "command", "%s: %s" % (name, reason))

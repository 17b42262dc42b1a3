# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in the laboratory that pulls from its registries and pushes to them: for tests of engine/."""
from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_push, images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import parse_platform, parse_remote
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Pull, PushWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.registry import transport
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root.registrylab import PLAIN, Registries


def push(registries: Registries, source: str, name: str, *more: str, to: str = PLAIN) -> None:
    """By skopeo."""
    registries.skopeo("copy", "--quiet", "--dest-tls-verify=false", *more, source, "docker://%s/%s" % (to, name))


class Store:
    def __init__(self, registries: Registries, home: pathlib.Path) -> None:
        self.registries, self.home, self.layout = registries, str(home), Layout(str(home))

    def pull(self, reference: str, name: str = "app", *, check: bool = False, force: bool = False, platform: str = "", **said: t.Any) -> t.Any:
        remote = parse_remote(reference, "reference")
        access = said.pop("access", None) or self.registries.access(remote.host)
        wanted = Pull(remote, access=access, platform=parse_platform(platform) if platform else None, **said)
        return self.ensure(ImageWish(name, "1", source="registry", force=force, pull=wanted), check=check)

    def ensure(self, wish: ImageWish, *, check: bool = False) -> t.Any:
        return self._run(lambda: images.ensure(open_host(self.home, dry_run=check), wish))

    def push(self, reference: str, name: str = "app", *, check: bool = False, **said: t.Any) -> t.Any:
        remote = parse_remote(reference, "reference")
        wish = PushWish(names.parse_image(name), remote, access=self.registries.access(remote.host), **said)
        return self._run(lambda: image_push.ensure(open_host(self.home, dry_run=check), wish))

    def _run(self, function: t.Callable[[], t.Any]) -> t.Any:
        def run() -> t.Any:
            transport._FIRST_PAUSE = 0.001
            return function()

        return self.registries.lab.run(run)

    def tree(self, name: str = "app") -> t.Dict[str, bytes]:
        """The files of the image, the topmost of each name; what is hidden is there as whiteout, and so is not a file."""
        record = json.loads(pathlib.Path(self.layout.image(name, "1")).read_text())
        found: t.Dict[str, bytes] = {}
        for layer in record["layers"]:
            top = pathlib.Path(self.layout.diff(layer))
            for path in top.rglob("*"):
                if path.is_char_device():
                    found.pop(str(path.relative_to(top)))
                elif path.is_file():
                    found[str(path.relative_to(top))] = path.read_bytes()
        return found

    def left(self) -> t.List[str]:
        return [*os.listdir(self.layout.images), *os.listdir(self.layout.layers)] if os.path.isdir(self.layout.layers) else []

    def everything(self) -> t.Dict[str, t.Tuple[int, int]]:
        """What a run in check mode may not touch."""
        found = {}
        for where, _folders, files in os.walk(self.home):
            for name in [".", *files]:
                facts = os.lstat(os.path.join(where, name))
                found[os.path.join(where, name)] = (facts.st_ino, facts.st_mtime_ns)
        return found

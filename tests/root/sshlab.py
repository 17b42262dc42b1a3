# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd in the laboratory, with a directory for repositories, and stores that push to them and pull from them.

It listens on PORT; on LINE there is the same server behind a line that can be cut.
"""
from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import images, repository, repository_info
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Address
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Fetch, Reach, RepositoryQuery, RepositoryWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import netlab
from ansible_collections.cocker.engine.tests.root.enginelab import plain_errors

PORT, LINE = 2222, 2223
_CONFIG = """
Port %(port)d
ListenAddress 127.0.0.1
HostKey %(folder)s/host
AuthorizedKeysFile %(folder)s/client.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
LogLevel ERROR
MaxStartups 100
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d %(folder)s/login
"""


class Server:
    def __init__(self, lab: netlab.Lab, folder: pathlib.Path) -> None:
        self.lab, self.folder = lab, folder
        self.login = folder / "login"

    def start(self) -> None:
        self.login.mkdir()
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True)
        (self.folder / "config").write_text(_CONFIG % {"port": PORT, "folder": self.folder})
        self.cut_after(0)
        self.lab.call("mkdir", "-p", "/run/sshd")
        with open(self.folder / "log", "ab") as log:
            self.lab.spawn(["/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "config")], stderr=log)
        cutter = str(pathlib.Path(__file__).with_name("tcp_cutter.py"))
        self.lab.spawn([sys.executable, cutter, str(LINE), str(PORT), str(self.folder / "limit")], stderr=subprocess.DEVNULL)
        for port in (PORT, LINE):
            if not poll.until(lambda port=port: self.lab.call("ss", "-Hltn", "sport = %d" % port), timeout=20):
                raise netlab.LabError("nobody listens on port %d" % port)

    def cut_after(self, count: int) -> None:
        """Bytes of the connections over the line, from now on; 0 is never."""
        (self.folder / "limit").write_text(str(count))

    def key(self, name: str = "host") -> str:
        return " ".join((self.folder / (name + ".pub")).read_text().split()[:2])

    def reach(self, directory: t.Union[pathlib.Path, str] = "", *, port: int = PORT, **said: t.Any) -> Reach:
        address = Address("127.0.0.1", "root", port, str(directory))
        return Reach(**{"address": address, "identity_path": str(self.folder / "client"), "host_key": self.key(), "timeout": 10, **said})


class Store:
    """Of one host, with one repository."""

    def __init__(self, server: Server, home: pathlib.Path, reach: Reach) -> None:
        self.server, self.home, self.reach, self.layout = server, str(home), reach, Layout(str(home))

    def make(self, name: str, files: t.Mapping[str, bytes], *, over: t.Optional[str] = None) -> None:
        """An image of one layer, or of one more than another image has."""
        ref = names.parse_image(name)
        top = pathlib.Path(self.home).parent / ("tree-" + os.urandom(4).hex())
        for path, content in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(content)
        self.ensure(ImageWish(ref.name, ref.version, source="directory", path=str(top)))
        if over is not None:
            self.run(_stack, self.home, over, name)

    def ensure(self, wish: ImageWish, *, check: bool = False) -> t.Any:
        return self.run(lambda: images.ensure(open_host(self.home, dry_run=check), wish))

    def pull(self, name: str, *, check: bool = False, there: str = "", force: bool = False, reach: t.Optional[Reach] = None, **said: t.Any) -> t.Any:
        ref = names.parse_image(name)
        fetch = Fetch(names.parse_image(there or name), reach or self.reach, is_open=bool(there), **said)
        return self.ensure(ImageWish(ref.name, ref.version, source="repository", fetch=fetch, force=force), check=check)

    def push(self, name: str, *, check: bool = False, there: str = "", reach: t.Optional[Reach] = None, **said: t.Any) -> t.Any:
        wish = RepositoryWish(names.parse_image(name), target=names.parse_image(there) if there else None, reach=reach or self.reach, **said)
        return self.tell(wish, check=check)

    def remove(self, name: str, *, check: bool = False) -> t.Any:
        return self.push(name, check=check, state="absent")

    def tell(self, wish: RepositoryWish, *, check: bool = False) -> t.Any:
        return self.run(lambda: repository.ensure(open_host(self.home, dry_run=check), wish))

    def search(self, match: t.Optional[str] = None, name: t.Optional[str] = None) -> t.List[t.Dict[str, t.Any]]:
        query = RepositoryQuery(names.parse_image(name) if name else None, match, self.reach)
        found = self.run(lambda: repository_info.query(open_host(self.home, dry_run=True), query))
        return t.cast(t.List[t.Dict[str, t.Any]], found["images"])

    def run(self, function: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        def run() -> t.Any:
            with plain_errors():
                return function(*arguments)

        return self.server.lab.run(run)

    def tree(self, name: str) -> t.Dict[str, bytes]:
        """The files of the image, the topmost of each name."""
        ref = names.parse_image(name)
        found: t.Dict[str, bytes] = {}
        for layer in self.run(lambda: images.images.get(self.layout, ref.name, ref.version)).layers:
            top = pathlib.Path(self.layout.diff(layer))
            found.update((str(path.relative_to(top)), path.read_bytes()) for path in top.rglob("*") if path.is_file())
        return found

    def everything(self) -> t.Dict[str, t.Tuple[int, int]]:
        return files_below(self.home)


def _stack(home: str, below: str, name: str) -> None:
    import dataclasses

    layout = Layout(home)
    lower, upper = [images.images.resolve(layout, names.parse_image(each)) for each in (below, name)]
    images.images.save(layout, dataclasses.replace(upper, layers=lower.layers + upper.layers))


def files_below(top: t.Union[str, pathlib.Path]) -> t.Dict[str, t.Tuple[int, int]]:
    """What a run in check mode may not touch."""
    return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in pathlib.Path(top).rglob("*")}


@contextlib.contextmanager
def serving(lab: netlab.Lab, folder: pathlib.Path) -> t.Iterator[Server]:
    server = Server(lab, folder)
    server.start()
    yield server

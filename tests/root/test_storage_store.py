# SPDX-License-Identifier: GPL-3.0-or-later
"""The store on the real kernel: mounts in the way, images that run, layers that stack."""
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, libc, mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage import gc, hostfiles, hostimage, layers, snapshots, treecopy, volumes
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import kernel_sandbox

pytestmark = pytest.mark.root


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    found = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    found.ensure()
    return found


@pytest.mark.parametrize("openat2", [True, False])
@pytest.mark.parametrize("seen", [True, False], ids=["in mountinfo", "met on the way"])
def test_removal_never_enters_a_mount(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, openat2: bool, seen: bool) -> None:
    for name in ("victim", "tree/deep/mount"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "victim/precious").touch()
    monkeypatch.setitem(libc._known, "openat2", openat2)
    if not seen:
        monkeypatch.setattr(fs, "refuse_mounts", lambda path: None)

    def action() -> str:
        mounts.bind(str(tmp_path / "victim"), str(tmp_path / "tree/deep/mount"))
        with pytest.raises(Conflict, match="mount") as caught:
            fs.remove_tree(str(tmp_path / "tree"))
        return str(caught.value)

    assert "tree" in kernel_sandbox.run(action)
    assert (tmp_path / "victim/precious").exists() and (tmp_path / "tree/deep/mount").is_dir()


def test_volume_that_is_mounted_on_keeps_its_data(layout: Layout, tmp_path: pathlib.Path) -> None:
    volumes.ensure(layout, volumes.Volume("data", "now"))
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/precious").touch()
    pathlib.Path(layout.volume_data("data"), "sub").mkdir()
    pathlib.Path(layout.volume_data("data"), "file").touch()

    def action() -> None:
        mounts.bind(str(tmp_path / "victim"), os.path.join(layout.volume_data("data"), "sub"))
        with pytest.raises(Conflict):
            volumes.remove(layout, "data")

    kernel_sandbox.run(action)
    assert (tmp_path / "victim/precious").exists() and sorted(os.listdir(layout.volume_data("data"))) == ["file", "sub"]


def test_copy_stops_at_mounts(tmp_path: pathlib.Path) -> None:
    for name in ("other", "from/mount", "to", "all"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "other/file").touch()

    def action() -> None:
        mounts.bind(str(tmp_path / "other"), str(tmp_path / "from/mount"))
        treecopy.copy_tree(str(tmp_path / "from"), str(tmp_path / "to"))
        treecopy.copy_tree(str(tmp_path / "from"), str(tmp_path / "all"), cross_mounts=True)

    kernel_sandbox.run(action)
    assert os.listdir(tmp_path / "to/mount") == [] and os.listdir(tmp_path / "all/mount") == ["file"]


def run_in(root: str, *command: str) -> t.Tuple[int, str]:
    """In a chroot of a child; its output."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(writer, 1)
            os.chroot(root)
            os.chdir("/")
            os.execve(command[0], list(command), {"PATH": "/usr/bin:/bin"})
        finally:
            os._exit(127)
    os.close(writer)
    with open(reader) as stream:
        text = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def test_image_of_the_host_runs_its_shell_and_python(layout: Layout) -> None:
    files = hostfiles.gather()
    with layers.new(layout) as staging:
        layer = hostimage.build(staging, files, created="now")
    top = layout.diff(layer.id)
    assert run_in(top, "/bin/sh", "-lc", "cat /root/tpl.txt; id -u") == (0, '--- Welcome to cocker container ---\n{ "leaf":"${LEAF}" }\n0\n')
    assert run_in(top, "/usr/bin/python3", "-c", "import http.server, ssl, json, sqlite3; print('fine')")[1] in ("fine\n", "")
    assert run_in(top, "/usr/bin/python3", "-c", "import http.server; print('fine')") == (0, "fine\n")
    assert os.stat(os.path.join(top, "tmp")).st_mode & 0o7777 == 0o1777
    assert not [path for folder, _below, names in os.walk(top) for path in (os.path.join(folder, name) for name in names)
                if not os.path.islink(path) and os.stat(path).st_mode & 0o6000]


def test_layers_stack_and_the_writable_one_takes_what_is_written(layout: Layout, tmp_path: pathlib.Path) -> None:
    made = []
    for name in ("bottom", "top"):
        with layers.new(layout) as staging:
            pathlib.Path(staging.diff, "who").write_text(name)
            pathlib.Path(staging.diff, name).touch()
            made.append(staging.commit(created="now", size=0, entries=0, source="test").id)
    directory = tmp_path / "container"
    lower = snapshots.lower_dirs(layout, [[made[0]], made])
    snapshots.create(str(directory), top=lower[0])

    def action() -> t.List[str]:
        mounts.overlay(str(directory / "merged"), lower=lower, upper=str(directory / "upper"), work=str(directory / "work"))
        (directory / "merged/new").touch()
        return [*sorted(os.listdir(directory / "merged")), (directory / "merged/who").read_text()]

    assert kernel_sandbox.run(action) == ["bottom", "new", "top", "who", "top"]
    assert os.listdir(directory / "upper") == ["new"]
    fs.remove_tree(str(directory))
    assert set(gc.collect(layout, lambda: ()).layers) == set(made)

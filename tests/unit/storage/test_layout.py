# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def test_paths_of_the_default_home() -> None:
    layout = Layout()
    assert layout.image("registry.example/library/debian", "12") == "/var/cocker/images/registry.example%2Flibrary%2Fdebian/12/image.json"
    assert layout.image("test", None) == layout.image("test", "_") == "/var/cocker/images/test/_/image.json"
    assert layout.diff("l1") == "/var/cocker/layers/l1/diff"
    assert layout.container("calvin=G6") == "/var/cocker/containers/calvin=G6"
    assert layout.leases("web") == "/var/cocker/leases/web.json"
    assert layout.container_run("web") == "/run/cocker/containers/web"
    assert layout.netns("calvin=G6") == "/run/netns/nns2513F44178"


def test_another_home_has_a_run_directory_of_its_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to("home")
    assert Layout(str(tmp_path / "home")).run.startswith("/run/cocker/homes/")
    assert Layout(str(tmp_path / "home")).run != Layout(str(tmp_path / "other")).run
    assert Layout(str(tmp_path / "link")).run == Layout(str(tmp_path / "home")).run, "one store, one set of locks"


def test_relative_home_is_refused() -> None:
    with pytest.raises(Invalid):
        Layout("var/cocker")


def test_asking_for_paths_makes_nothing(tmp_path: pathlib.Path) -> None:
    layout = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    assert layout.image_names() == layout.network_names() == layout.layer_ids() == layout.image_versions("x") == []
    assert os.listdir(tmp_path) == []


def test_store_is_closed_to_others(tmp_path: pathlib.Path) -> None:
    os.mkdir(tmp_path / "home", 0o755)
    layout = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    layout.ensure()
    layout.ensure()
    modes = {os.stat(path).st_mode & 0o7777 for path in (layout.home, layout.layers, layout.containers, layout.run, layout.locks)}
    assert modes == {0o700}


def test_link_in_the_place_of_a_part_is_refused(tmp_path: pathlib.Path) -> None:
    layout = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    os.makedirs(layout.home)
    os.symlink(tmp_path, layout.layers)
    with pytest.raises(Conflict):
        layout.ensure()


def test_names_are_listed_decoded_and_what_is_being_made_is_not(layout: Layout) -> None:
    for name in ("a", "localhost%3A5000%2Fb", ".tmp-1", "bad%zz"):
        os.mkdir(os.path.join(layout.images, name))
    for version in ("1.9", "1.10", "_"):
        os.makedirs(os.path.dirname(layout.image("a", version)))
        if version != "_":
            open(layout.image("a", version), "w").close()
    assert layout.image_names() == ["a", "localhost:5000/b"]
    assert layout.image_versions("a") == ["1.9", "1.10"]
    open(layout.network("web"), "w").close()
    assert layout.network_names() == ["web"]

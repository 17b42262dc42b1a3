# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts, namespaces
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, KernelError, Unsupported


@pytest.mark.parametrize("kind", sorted(namespaces.KINDS))
def test_every_kind_is_shown_by_this_kernel(kind: str) -> None:
    assert os.path.exists("/proc/self/ns/" + namespaces.KINDS[kind].proc)


def test_flags_are_different_bits() -> None:
    flags = [kind.flag for kind in namespaces.KINDS.values()]
    assert sum(flags) == 0x7E020080
    assert len(set(flags)) == 8


def test_descriptor_of_a_namespace_is_closed_by_exec() -> None:
    fd = namespaces.open_of(os.getpid(), "network")
    found = (os.get_inheritable(fd), os.fstat(fd).st_ino == os.stat("/proc/self/ns/net").st_ino)
    os.close(fd)
    assert found == (False, True)


def test_user_namespace_is_not_entered_for_a_while() -> None:
    with pytest.raises(Unsupported), namespaces.entered(0, "user"):
        pass


class Kernel:
    """Records what is asked of it; refuses what it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuse: t.Sequence[str] = ()) -> None:
        self.asked: t.List[str] = []
        self.refuse = refuse
        monkeypatch.setattr(namespaces, "unshare", lambda _flags: self._do("unshare"))
        monkeypatch.setattr(namespaces, "setns", lambda _fd, kind: self._do("setns " + kind))
        monkeypatch.setattr(mounts, "bind", lambda *_args, **_kwargs: self._do("bind"))
        monkeypatch.setattr(mounts, "set_propagation", lambda *_args, **_kwargs: self._do("share"))
        monkeypatch.setattr(mounts, "umount", lambda *_args, **_kwargs: self._unmount())

    def _do(self, what: str) -> None:
        self.asked.append(what)
        if what in self.refuse:
            raise KernelError(what, "", errno.EPERM)

    def _unmount(self) -> None:
        raise KernelError("umount", "", errno.EINVAL)


def test_pin_comes_back_to_where_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    kernel = Kernel(monkeypatch)
    namespaces.pin_netns(str(tmp_path / "netns" / "nns1"))
    assert kernel.asked == ["share", "unshare", "bind", "setns network"]


@pytest.mark.parametrize(("refused", "after"), [("unshare", []), ("bind", ["setns network"]), ("setns network", [])])
def test_pin_that_fails_leaves_no_file_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, refused: str, after: t.List[str]
) -> None:
    kernel = Kernel(monkeypatch, refuse=[refused])
    with pytest.raises(KernelError):
        namespaces.pin_netns(str(tmp_path / "nns1"))
    assert os.listdir(str(tmp_path)) == []
    assert kernel.asked[kernel.asked.index(refused) + 1:] == after


def test_pin_takes_no_path_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    kernel = Kernel(monkeypatch)
    (tmp_path / "nns1").write_text("somebody else's")
    with pytest.raises(Conflict):
        namespaces.pin_netns(str(tmp_path / "nns1"))
    assert (tmp_path / "nns1").read_text() == "somebody else's"
    assert "unshare" not in kernel.asked


def test_unpin_of_nothing_is_success(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    Kernel(monkeypatch)
    namespaces.unpin(str(tmp_path / "nns1"))

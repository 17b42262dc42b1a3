# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of cocker_image: what is asked, what is sent, and when."""
from __future__ import annotations

import hashlib
import pathlib
import typing as t
from unittest import mock

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible.errors import AnsibleError

from ansible_collections.cocker.engine.plugins.action import cocker_image
from ansible_collections.cocker.engine.plugins.plugin_utils import quick

Result = t.Dict[str, t.Any]
CONTENT = b"an archive" * 1000


class Told:
    """The action plugin with a host that is played: what was asked of it, in order."""

    def __init__(
        self, archive: pathlib.Path, answers: t.Sequence[Result], *, check_mode: bool = False, async_val: int = 0, **arguments: t.Any
    ) -> None:
        task = mock.Mock(args={"name": "a", "source": "archive", **arguments}, check_mode=check_mode, async_val=async_val, diff=False)
        connection = mock.Mock()
        connection._shell.tmpdir = "/remote/tmp"
        connection._shell.join_path = lambda *parts: "/".join(parts)
        loader = mock.Mock(get_real_file=lambda path: path)
        self.plugin = cocker_image.ActionModule(task, connection, mock.Mock(), loader, mock.Mock(), mock.Mock())
        self.asked: t.List[t.Any] = []
        self.sent: t.List[t.Any] = []
        self.removed: t.List[str] = []
        left = list(answers)

        def ask(*, module_name: str, module_args: t.Optional[Result] = None, **_more: t.Any) -> Result:
            given = {name: value for name, value in (module_args or {}).items() if not name.startswith("_cocker_")}
            if module_name == quick.STUB:
                return {quick.MISSING: True}
            self.asked.append(given)
            return dict(left.pop(0))

        self.plugin._execute_module = ask
        self.plugin._find_needle = lambda folder, path: str(archive)
        self.plugin._transfer_file = lambda local, remote: self.sent.append((local, remote))
        self.plugin._fixup_perms2 = lambda paths: None
        self.plugin._remove_tmp_path = self.removed.append

    def run(self) -> Result:
        return t.cast(Result, self.plugin.run(None, {}))


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "root.tar"
    path.write_bytes(CONTENT)
    return path


DIGEST = hashlib.sha256(CONTENT).hexdigest()
NEEDED, NOT_NEEDED, DONE = {"changed": True, "needed": True}, {"changed": False, "needed": False}, {"changed": True, "image": {"Id": "x"}}


@pytest.mark.parametrize("arguments", [
    {"path": "/srv/a.tar"},
    {"path": "/srv/a.tar", "remote_src": True},
    {"path": "/srv/a.tar", "remote_src": "yes"},
    {"path": "/srv/a", "remote_src": False, "source": "directory"},
    {"path": "/srv/a", "remote_src": False, "state": "absent"},
    {"remote_src": False},
])
def test_whatever_is_not_an_archive_here_is_the_modules_business(archive: pathlib.Path, arguments: Result) -> None:
    told = Told(archive, [DONE], **arguments)
    assert told.run() == DONE
    assert (told.asked, told.sent) == ([told.plugin._task.args], [])


def test_an_archive_that_is_there_already_is_not_sent(archive: pathlib.Path) -> None:
    told = Told(archive, [NOT_NEEDED], path="root.tar", remote_src=False)
    assert told.run() == {"changed": False}
    assert told.asked == [{"name": "a", "source": "archive", "remote_src": False, "archive_digest": DIGEST}]
    assert told.sent == []


def test_an_archive_that_is_needed_is_sent_once_and_removed(archive: pathlib.Path) -> None:
    told = Told(archive, [NEEDED, DONE], path="root.tar", remote_src="no", version="1")
    assert told.run() == DONE
    assert told.sent == [(str(archive), "/remote/tmp/archive")]
    assert told.asked[1] == {
        "name": "a", "source": "archive", "version": "1", "remote_src": True, "path": "/remote/tmp/archive", "archive_digest": DIGEST,
    }
    assert set(told.removed) == {"/remote/tmp"}


def test_check_mode_asks_and_never_sends(archive: pathlib.Path) -> None:
    told = Told(archive, [NEEDED], path="root.tar", remote_src=False, check_mode=True)
    assert told.run() == {"changed": True}
    assert told.sent == []


def test_a_host_that_refuses_is_not_sent_anything(archive: pathlib.Path) -> None:
    told = Told(archive, [{"failed": True, "msg": "no"}], path="root.tar", remote_src=False)
    assert told.run() == {"failed": True, "msg": "no"}
    assert told.sent == []


def test_what_was_sent_is_removed_if_the_import_fails(archive: pathlib.Path) -> None:
    told = Told(archive, [NEEDED, {"failed": True, "msg": "truncated"}], path="root.tar", remote_src=False)
    assert told.run()["msg"] == "truncated"
    assert set(told.removed) == {"/remote/tmp"}


def test_a_file_that_is_not_there_names_the_option(archive: pathlib.Path) -> None:
    told = Told(archive, [], path="missing.tar", remote_src=False)
    told.plugin._find_needle = mock.Mock(side_effect=AnsibleError("could not find missing.tar"))
    result = told.run()
    assert result["failed"] and result["msg"] == "option path: could not find missing.tar"


def test_a_directory_is_no_archive(tmp_path: pathlib.Path) -> None:
    result = Told(tmp_path, [], path="x", remote_src=False).run()
    assert result["failed"] and result["msg"].startswith("option path: %s" % tmp_path)


def test_sending_cannot_be_left_alone(archive: pathlib.Path) -> None:
    result = Told(archive, [], path="root.tar", remote_src=False, async_val=60).run()
    assert result["failed"] and "async needs remote_src: true" in result["msg"]


def test_a_large_file_is_read_in_pieces(archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cocker_image, "CHUNK", 7)
    assert cocker_image.sha256(str(archive)) == DIGEST

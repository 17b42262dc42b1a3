# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of cocker_container_copy: what is asked, what is sent, and when."""
from __future__ import annotations

import base64
import hashlib
import pathlib
import typing as t
from unittest import mock

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible.errors import AnsibleError

from ansible_collections.cocker.engine.plugins.action import cocker_container_copy as copy
from ansible_collections.cocker.engine.plugins.plugin_utils import quick

Result = t.Dict[str, t.Any]
DONE: Result = {"changed": True}


class Told:
    """The action plugin with a host that is played: what was asked of it, and the contents that were sent."""

    def __init__(self, answers: t.Sequence[Result], *, check_mode: bool = False, async_val: int = 0, **arguments: t.Any) -> None:
        given = {"container": "web", "container_path": "/x", "remote_src": False, **arguments}
        task = mock.Mock(args=given, check_mode=check_mode, async_val=async_val, diff=False)
        connection = mock.Mock()
        connection._shell.tmpdir = "/remote/tmp"
        connection._shell.join_path = lambda *parts: "/".join(parts)
        loader = mock.Mock(get_real_file=lambda path: path)
        self.plugin = copy.ActionModule(task, connection, mock.Mock(), loader, mock.Mock(), mock.Mock())
        self.asked: t.List[t.Any] = []
        self.sent: t.List[bytes] = []
        self.removed: t.List[str] = []
        left = list(answers)

        def ask(*, module_name: str, module_args: t.Optional[Result] = None, **_more: t.Any) -> Result:
            given = {name: value for name, value in (module_args or {}).items() if not name.startswith("_cocker_")}
            if module_name == quick.STUB:
                return {quick.MISSING: True}
            self.asked.append(given)
            return dict(left.pop(0))

        self.plugin._execute_module = ask
        self.plugin._find_needle = lambda folder, path: path
        self.plugin._transfer_file = lambda local, remote: self.sent.append(pathlib.Path(local).read_bytes())
        self.plugin._fixup_perms2 = lambda paths: None
        self.plugin._remove_tmp_path = self.removed.append

    def run(self) -> Result:
        return t.cast(Result, self.plugin.run(None, {}))


@pytest.fixture
def site(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"a" * copy.INLINE)
    (tmp_path / "sub" / "b").write_bytes(b"b" * 3)
    (tmp_path / "sub" / "same").write_bytes(b"b" * 3)
    (tmp_path / "link").symlink_to("/nowhere")
    return tmp_path


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_is_on_the_host_is_left_to_the_module(site: pathlib.Path) -> None:
    told = Told([DONE], path=str(site), remote_src=True)
    assert told.run()["changed"] and told.asked == [told.plugin._task.args]


def test_a_small_file_travels_with_the_question(site: pathlib.Path) -> None:
    told = Told([DONE], path=str(site / "sub" / "b"))
    assert told.run()["changed"]
    [asked] = told.asked
    assert "path" not in asked and base64.b64decode(asked["sent"]["inline"]) == b"bbb" and asked["sent"]["name"] == "b"
    assert told.sent == []


def test_a_tree_is_asked_about_and_only_what_is_needed_is_sent(site: pathlib.Path) -> None:
    needed = [digest(b"bbb"), digest(b"a" * copy.INLINE)]
    told = Told([{"changed": True, "needed": needed}, DONE], path=str(site) + "/")
    answer = told.run()
    assert answer["changed"] and "needed" not in answer
    first, second = told.asked
    assert [entry["path"] for entry in first["sent"]["entries"]] == ["", "a", "link", "sub", "sub/b", "sub/same"]
    assert "inline" not in first["sent"] and "contents" not in first["sent"]
    assert second["sent"]["contents"] == needed and second["sent"]["pack"] == "/remote/tmp/contents"
    assert told.sent == [b"bbb" + b"a" * copy.INLINE] and set(told.removed) == {"/remote/tmp"}


@pytest.mark.parametrize(("answer", "check"), [
    ({"changed": False}, False), ({"changed": True, "needed": ["x"]}, True), ({"failed": True, "msg": "no", "needed": ["x"]}, False),
])
def test_nothing_is_sent_in_vain(site: pathlib.Path, answer: Result, check: bool) -> None:
    told = Told([answer], path=str(site), check_mode=check)
    assert "needed" not in told.run()
    assert told.sent == [] and len(told.asked) == 1


def test_a_file_that_changes_meanwhile_is_an_error(site: pathlib.Path) -> None:
    entries = copy.listed(str(site), follow=True)
    (site / "sub" / "b").write_bytes(b"c")
    with pytest.raises(AnsibleError, match="changes while it is copied"), open(site / "pack", "wb") as pack:
        copy.write_pack(pack, str(site), [entry for entry in entries if entry["path"] == "sub/b"], [digest(b"bbb")])


def test_async_is_refused(site: pathlib.Path) -> None:
    answer = Told([], path=str(site), async_val=10).run()
    assert answer["failed"] and "async" in answer["msg"]

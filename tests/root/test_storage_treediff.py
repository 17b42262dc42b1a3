# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container changed, against overlayfs itself: each change is made on a real mount, and the tree seen there is the oracle."""
from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts
from ansible_collections.cocker.engine.plugins.module_utils.storage import overlaytree, treediff
from ansible_collections.cocker.engine.tests.root import kernel_sandbox

pytestmark = pytest.mark.root

MAKE = """
mkdir -p low/dir/sub low/other low/gone/deep mid/dir upper work merged
echo 1 > low/dir/file; echo 2 > low/dir/sub/file; echo 3 > low/other/file; echo 4 > low/gone/deep/file; ln -s file low/dir/link
echo 5 > mid/dir/mid; mknod mid/dir/file c 0 0; echo root > low/single; chmod 755 low mid upper
"""

CASES = {
    "nothing": ("true", []),
    "read": ("cat dir/mid single; ls -R . > /dev/null", []),
    "added": ("echo > new; mkdir -p tree/a; echo > tree/a/b", ["A /new", "A /tree", "A /tree/a", "A /tree/a/b"]),
    "changed": ("echo more >> single", ["C /single"]),
    "deleted file": ("rm other/file", ["C /other", "D /other/file"]),
    "deleted directory": ("rm -r gone", ["D /gone"]),
    "opaque directory": ("rm -r gone; mkdir gone; echo > gone/new", ["C /gone", "A /gone/new", "D /gone/deep"]),
    "mode": ("chmod 600 single", ["C /single"]),
    "owner of a directory": ("chown 5 other", ["C /other"]),
    "copied up only": ("touch -r single single; chmod 644 single", []),
    "attribute": ("python3 -c 'import os; os.setxattr(\"single\", \"user.x\", b\"y\")'", ["C /single"]),
    "link": ("ln -sfn other dir/link", ["C /dir", "C /dir/link"]),
    "file to directory": ("rm single; mkdir single; echo > single/x", ["C /single", "A /single/x"]),
    "directory to file": ("rm -r gone; echo > gone", ["C /gone"]),
    "made and removed": ("echo > new; rm new", []),
    "deleted below a middle layer": ("rm dir/mid dir/sub/file", ["C /dir", "D /dir/mid", "C /dir/sub", "D /dir/sub/file"]),
    "renamed file": ("mv other/file other/name", ["C /other", "D /other/file", "A /other/name"]),
    "renamed directory": ("mv gone went", ["D /gone", "A /went", "A /went/deep", "A /went/deep/file"]),
    "moved directory": ("mv gone/deep other/deep", ["C /gone", "D /gone/deep", "C /other", "A /other/deep", "A /other/deep/file"]),
    "device": ("mknod dev c 1 3", ["A /dev"]),
}


@pytest.mark.parametrize("redirect", [False, True], ids=["plain", "redirects"])
@pytest.mark.parametrize("name", list(CASES))
def test_changes_are_told_as_overlayfs_shows_them(tmp_path: pathlib.Path, name: str, redirect: bool) -> None:
    script, expected = CASES[name]

    def action() -> t.Tuple[t.List[str], t.Dict[str, str], t.Dict[str, str]]:
        os.chdir(tmp_path)
        subprocess.run(["sh", "-ec", MAKE], check=True)
        top = str(tmp_path)
        lower = ["%s/mid" % top, "%s/low" % top]
        mounts.overlay(top + "/merged", lower=lower, upper=top + "/upper", work=top + "/work", options=["redirect_dir=on"] if redirect else [])
        subprocess.run(["sh", "-ec", script], check=True, cwd=top + "/merged", stdout=subprocess.DEVNULL)
        seen = listing(top + "/merged")
        found = ["%s %s" % (kind, path) for path, kind in treediff.changes([top + "/upper"], lower)]
        return found, seen, walked([top + "/upper", *lower])

    found, seen, ours = kernel_sandbox.run(action)
    assert sorted(found) == sorted(expected)
    assert ours == seen


def listing(top: str) -> t.Dict[str, str]:
    found = {}
    for where, folders, files in os.walk(top):
        for each in folders + files:
            path = os.path.join(where, each)
            found[os.path.relpath(path, top)] = oct(os.lstat(path).st_mode)
    return found


def walked(layers: t.Sequence[str]) -> t.Dict[str, str]:
    found: t.Dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        tree = overlaytree.Tree(layers, stack)

        def visit(node: overlaytree.Node, prefix: str) -> None:
            for name in overlaytree.names(node.places):
                child = tree.child(node, name, stack)
                if child is not None:
                    found[prefix + name] = oct(child.facts.st_mode)
                    visit(child, prefix + name + "/")

        root = tree.root()
        if root is not None:
            visit(root, "")
    return found


def test_a_directory_that_leads_out_is_not_followed(tmp_path: pathlib.Path) -> None:
    for name in ("upper", "low/dir"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "upper/dir").symlink_to("/etc")
    assert treediff.changes([str(tmp_path / "upper")], [str(tmp_path / "low")]) == [("/dir", "C")]


def test_what_was_made_to_mount_on_is_left_out_as_long_as_nothing_is_in_it(tmp_path: pathlib.Path) -> None:
    for name in ("upper/etc", "upper/deep/in/there", "upper/full/point", "upper/kept", "low/etc"):
        (tmp_path / name).mkdir(parents=True)
    for name, text in (("upper/etc/hosts", ""), ("upper/etc/written", "x"), ("upper/full/other", "")):
        (tmp_path / name).write_text(text)
    found = treediff.changes([str(tmp_path / "upper")], [str(tmp_path / "low")], ["/etc/hosts", "/etc/written", "/deep/in/there", "/full/point/"])
    assert ["%s %s" % (kind, path) for path, kind in found] == ["C /etc", "A /etc/written", "A /full", "A /full/other", "A /kept"]

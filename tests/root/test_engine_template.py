# SPDX-License-Identifier: GPL-3.0-or-later
"""A template in an image, and instances of it in containers."""
from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import template
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import TemplateWish
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

TEXT = b'{ "leaf":"${LEAF}", "port":"${PORT}" }\n'
MAPPING = {b"${LEAF}": b"a b", b"${PORT}": b"80"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        path = pathlib.Path(found.layout.diff("base"), "etc/app.tpl")
        path.write_bytes(TEXT)
        path.chmod(0o640)
        os.chown(path, 1000, 1000)
        yield found


@pytest.fixture(params=["started", "present"])
def web(request, lab):
    with enginelab.clean(lab) as found:
        found.start(network_mode="none", state=request.param)
        yield found


def fill(engine, *, check=False, **said):
    options = {"template": "/etc/app.tpl", "instance": "/srv/app.conf", **({} if "mapping_file" in said else {"mapping": MAPPING}), **said}

    def run():
        with enginelab.plain_errors():
            return template.ensure(open_host(engine.home, dry_run=check), TemplateWish("web", **options))
    return engine.lab.run(run)


def made(engine, path="srv/app.conf"):
    return pathlib.Path(engine.layout.container("web"), "upper", path)


def test_an_instance_is_made_once_with_the_templates_mode_and_owner(web):
    told = fill(web, check=True)
    assert not made(web).exists()
    done = fill(web)
    assert (told.actions, told.diff, told.plan) == (done.actions, done.diff, done.plan)
    assert made(web).read_bytes() == b'{ "leaf":"a b", "port":"80" }\n' and done.result["replacements"] == 2
    facts = made(web).stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o640, 1000, 1000)
    assert not fill(web).changed and not fill(web, check=True).changed


def test_what_is_there_keeps_its_mode_and_owner(web):
    fill(web, mode=0o600, owner="root", group="extra")
    inode = made(web).stat()
    assert (stat.S_IMODE(inode.st_mode), inode.st_uid, inode.st_gid) == (0o600, 0, 2000)
    assert fill(web, mapping={b"${LEAF}": b"c"}).changed
    inode = made(web).stat()
    assert (stat.S_IMODE(inode.st_mode), inode.st_uid, inode.st_gid) == (0o600, 0, 2000)
    assert made(web).read_bytes() == b'{ "leaf":"c", "port":"${PORT}" }\n'      # shorter than before, and nothing behind it


def test_a_template_may_be_replaced_by_its_instance(web):
    assert fill(web, instance=None).changed
    assert made(web, "etc/app.tpl").read_bytes() == b'{ "leaf":"a b", "port":"80" }\n'
    assert not fill(web, instance=None).changed
    fill(web, mapping={b"leaf": b"leaf"}, instance=None)
    with pytest.raises(Invalid, match="instance_file"):
        fill(web, mapping={b"leaf": b"leaflet"}, instance=None)


def test_strict_refuses_what_has_no_value(web):
    with pytest.raises(Invalid, match=r"\$\{PORT\}"):
        fill(web, mapping={b"${LEAF}": b"x"}, strict=True)
    assert not made(web).exists()
    assert fill(web, strict=True).changed


def test_a_mapping_from_a_file_of_the_host(web, tmp_path):
    (tmp_path / "map").write_text("${LEAF} x  y\n\n${PORT}\t8080 \r\n")
    fill(web, mapping_file=str(tmp_path / "map"))
    assert made(web).read_bytes() == b'{ "leaf":"x  y", "port":"8080" }\n'


@pytest.mark.parametrize(("said", "error"), [
    ({"template": "/no/such"}, NotFound), ({"template": "/etc"}, Conflict), ({"mapping_file": "/no/such"}, NotFound),
    ({"instance": "/etc"}, Conflict), ({"instance": "/proc/x"}, Conflict), ({"owner": "nobody-here"}, NotFound),
], ids=str)
def test_what_cannot_be_is_refused(web, said, error):
    with pytest.raises(error):
        fill(web, **said)

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import image

CONFIG = image.ImageConfig(
    cmd=("/bin/sh",), entrypoint=("/init", "--"), env=("PATH=/bin",), user="1000:1000", working_dir="/srv", labels={"a": "b"},
    exposed_ports=("80/tcp",), volumes=("/data",), stop_signal="SIGQUIT", healthcheck={"Test": ["CMD", "true"], "Interval": 1},
)
ORIGIN = image.Provenance("archive", "sha256:00", "/a.tar")
RECORD = image.ImageRecord("debian", "12", ("l1", "l2"), CONFIG, "2024-01-01T00:00:00Z", ORIGIN, 7)


def test_record_comes_back_as_it_was() -> None:
    assert image.record_from_json(RECORD.to_json()) == RECORD


def test_config_is_the_one_of_oci() -> None:
    assert CONFIG.to_json() == {
        "Cmd": ["/bin/sh"], "Entrypoint": ["/init", "--"], "Env": ["PATH=/bin"], "User": "1000:1000", "WorkingDir": "/srv",
        "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "StopSignal": "SIGQUIT",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1},
    }


def test_empty_config_says_nothing() -> None:
    assert image.ImageConfig().to_json() == {}
    assert image.config_from_json({"Cmd": None, "Labels": None}) == image.ImageConfig()


def test_same_content_has_the_same_id_under_every_name() -> None:
    assert dataclasses.replace(RECORD, name="other", version="_").id == RECORD.id
    assert dataclasses.replace(RECORD, layers=("l1",)).id != RECORD.id


def test_no_version_is_left_out_of_the_reference() -> None:
    assert str(dataclasses.replace(RECORD, version="_").ref) == "debian"
    assert str(RECORD.ref) == "debian:12"


@pytest.mark.parametrize("change", [
    {"layers": "l1"}, {"layers": [1]}, {"name": None}, {"config": []}, {"config": {"Cmd": "sh"}}, {"config": {"Labels": ["a"]}},
    {"config": {"ExposedPorts": ["80"]}}, {"provenance": []}, {"size": "1"}, {"size": True}, {"created": 0},
])
def test_record_of_wrong_shape_is_refused(change: t.Dict[str, t.Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        image.record_from_json({**RECORD.to_json(), **change})

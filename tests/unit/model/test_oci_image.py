# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model import oci_image
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.image import HistoryStep, ImageConfig, Platform

ID = "sha256:" + "0" * 64
FULL: t.Dict[str, t.Any] = {
    "architecture": "arm64", "os": "linux", "variant": "v8", "author": "a", "created": "2024-01-01T00:00:00Z",
    "config": {"Cmd": ["sh"], "Env": ["A=b"], "User": "1:2", "WorkingDir": "/w", "Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}},
               "Volumes": {"/v": {}}, "StopSignal": "SIGINT", "Healthcheck": {"Test": ["CMD", "true"]}, "Entrypoint": ["/e"]},
    "rootfs": {"type": "layers", "diff_ids": [ID]}, "history": [{"created_by": "x"}, {"created_by": "y", "empty_layer": True}],
}


def raw(**more: t.Any) -> bytes:
    return json.dumps({**FULL, **more}).encode()


def test_everything_is_taken_over_and_comes_back() -> None:
    found = oci_image.parse(raw(), "config")
    assert found.config == ImageConfig(
        cmd=("sh",), entrypoint=("/e",), env=("A=b",), user="1:2", working_dir="/w", labels={"k": "v"}, exposed_ports=("80/tcp",),
        volumes=("/v",), stop_signal="SIGINT", healthcheck={"Test": ["CMD", "true"]})
    assert (found.platform, found.history) == (Platform("linux", "arm64", "v8"), (HistoryStep(created_by="x"), HistoryStep(created_by="y", empty_layer=True)))
    assert json.loads(found.to_bytes()) == FULL
    assert oci_image.parse(found.to_bytes(), "config") == found


def test_what_is_missing_or_null_is_empty() -> None:
    found = oci_image.parse(json.dumps({"rootfs": {"diff_ids": []}, "config": {"Cmd": None, "ExposedPorts": None}, "history": None}).encode(), "c")
    assert found == oci_image.Document(())


def test_a_history_of_other_layers_is_not_told() -> None:
    assert "history" not in json.loads(oci_image.parse(raw(history=[{}, {}]), "c").to_bytes())


@pytest.mark.parametrize("content", [
    b"", b"[]", b"{", b"\xff", b"{}", raw()[:-2], b'{"rootfs":{"diff_ids":[]},"rootfs":{}}', b"[" * 100000, b'{"a":' * 100000,
    raw(rootfs=None), raw(rootfs=[]), raw(rootfs={"diff_ids": {}}), raw(rootfs={"diff_ids": ["sha256:../../x"]}), raw(rootfs={"diff_ids": [1]}),
    raw(rootfs={"diff_ids": [ID] * 600}), raw(rootfs={"diff_ids": ["md5:" + "0" * 32]}), raw(rootfs={"diff_ids": [ID.upper()]}),
    raw(config=[]), raw(config={"Env": "A=b"}), raw(config={"Cmd": [1]}), raw(config={"Labels": {"a": 1}}), raw(config={"User": 0}),
    raw(config={"Volumes": ["/v"]}), raw(config={"Healthcheck": []}), raw(config={"Env": ["A=\0"]}), raw(config={"WorkingDir": "/\0"}),
    raw(history={}), raw(history=["x"]), raw(history=[{"created_by": 1}]), raw(created=5), raw(os=["linux"]), raw(architecture={}), raw(author=1.5),
    b'{"rootfs":{"diff_ids":[]},"x":NaN}', b'{"rootfs":{"diff_ids":[]},"x":-Infinity}', b'{"rootfs":{"diff_ids":[]},"x":' + b"9" * 5000 + b"}",
    raw() + b"x" * (5 << 20),
], ids=range(41 - 4))
def test_what_is_no_config_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged):
        oci_image.parse(content, "config")


def test_other_systems_images_are_refused() -> None:
    with pytest.raises(Unsupported, match="windows"):
        oci_image.parse(raw(os="windows"), "config")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(ID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "rootfs", "diff_ids", "config", "history", "os", "created", "Env", "Cmd", "Labels", "Volumes", "created_by", "empty_layer"]), inner, max_size=4),
    max_leaves=12)


@given(JSON)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_document_is_read_or_refused(value: t.Any) -> None:
    try:
        found = oci_image.parse(json.dumps(value).encode(), "config")
    except CockerError:
        return
    assert oci_image.parse(found.to_bytes(), "config").config == found.config

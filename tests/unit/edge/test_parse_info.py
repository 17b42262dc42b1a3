# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of containers, read."""
from __future__ import annotations

import datetime
import typing as t

import pytest

pytest.importorskip("ansible.module_utils.basic")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

NOW = datetime.datetime(2026, 1, 12, 8, 30, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(("text", "when"), [
    ("2026-01-12T08:30:00Z", "2026-01-12T08:30:00.000000000Z"),
    ("2026-01-12T08:30:00.25+02:00", "2026-01-12T06:30:00.250000000Z"),
    ("2026-01-12", "2026-01-12T00:00:00.000000000Z"),
    ("10m", "2026-01-12T08:20:00.000000000Z"),
    ("1h30m", "2026-01-12T07:00:00.000000000Z"),
    ("2d", "2026-01-10T08:30:00.000000000Z"),
    ("0", "1970-01-01T00:00:00.000000000Z"),
    ("1768206600.5", "2026-01-12T08:30:00.500000000Z"),
])
def test_times(text: str, when: str) -> None:
    assert parse_info.moment(text, NOW) == when


@pytest.mark.parametrize("text", ["", "yesterday", "m", "10", "1.2.3", "30m1h", "-5m", "999999999d", "\u0661m"])
def test_what_is_no_time(text: str) -> None:
    if text == "10":
        assert parse_info.moment(text, NOW).startswith("1970")
        return
    with pytest.raises(Invalid, match="option since"):
        parse_info.moment(text, NOW)


@pytest.mark.parametrize(("said", "option"), [
    ({"tail": 1}, "tail"), ({"since": "1m", "gather": ["stats"]}, "since"), ({"exec_id": "a", "gather": ["logs"]}, "exec_id"),
    ({"exec_id": "xyz", "gather": ["execs"]}, "exec_id"), ({"tail": -1, "gather": ["logs"]}, "tail"), ({"name": "a/b"}, "name"),
], ids=str)
def test_a_bad_value_names_its_option(said: t.Dict[str, t.Any], option: str) -> None:
    checked = ArgumentSpecValidator(args_info.CONTAINER.options).validate({"name": "web", **said})
    assert checked.error_messages == []
    with pytest.raises(Invalid) as error:
        parse_info.container(checked.validated_parameters)
    assert error.value.subject == option

# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines as runc's callers write them."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.oci import flags
from ansible_collections.cocker.engine.plugins.module_utils.oci.flags import LIST, NUMBER, SIZE, SWITCH, Flag

FLAGS = (Flag("bundle", short="b"), Flag("all", SWITCH, "a"), Flag("env", LIST, "e"), Flag("preserve-fds", NUMBER), Flag("memory", SIZE))


@pytest.mark.parametrize("words,wanted,rest", [
    (["--bundle", "/b", "id"], {"bundle": "/b"}, ["id"]),
    (["-b=/b", "--all", "id", "--all"], {"bundle": "/b", "all": True}, ["id", "--all"]),
    (["-bundle", "/b", "--all=false", "id"], {"bundle": "/b", "all": False}, ["id"]),
    (["-e", "A=b", "--env=C=d", "--", "-x"], {"env": ["A=b", "C=d"]}, ["-x"]),
    (["--preserve-fds", "3", "--memory", "64m"], {"preserve-fds": 3, "memory": 64 << 20}, []),
    (["--memory", "-1", "-"], {"memory": -1}, ["-"]),
])
def test_options_come_first_in_any_spelling(words, wanted, rest):
    found, left = flags.parse(words, FLAGS)
    empty = {"bundle": None, "all": False, "env": [], "preserve-fds": None, "memory": None}
    assert (found, left) == (dict(empty, **wanted), rest)


@pytest.mark.parametrize("words,reason", [
    (["--nosuch"], "unknown option --nosuch"), (["--bundle"], "the option --bundle needs a value"),
    (["--preserve-fds", "x"], "'x' is not a whole number"), (["--all=maybe"], "true or false is wanted"), (["--memory", "1x"], "not a whole number"),
])
def test_a_wrong_one_is_named(words, reason):
    with pytest.raises(flags.Usage, match=reason):
        flags.parse(words, FLAGS)

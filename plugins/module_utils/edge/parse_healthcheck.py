# SPDX-License-Identifier: BSD-2-Clause
"""How people write a health check: docker's dictionary, podman's options; and durations.

Not here: what follows from one (init/health.py).
"""
from __future__ import annotations

import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

OPTION, DISABLED = "healthcheck", "no_healthcheck"
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?(?:(\d+)us)?")
_UNITS = (3600 * healthcheck.SECOND, 60 * healthcheck.SECOND, healthcheck.SECOND, healthcheck.SECOND // 1000, healthcheck.SECOND // 10 ** 6)
_SHORTEST = healthcheck.SECOND // 1000
_TIMES = ("interval", "timeout", "start_period", "start_interval")
_KEYS = ("test", *_TIMES, "retries", "test_cli_compatible")
_KINDS = (healthcheck.NONE, healthcheck.CMD, healthcheck.CMD_SHELL)
_FLAT = ("interval", "timeout", "start_period", "retries")


def check(params: Params) -> t.Optional[healthcheck.Check]:
    """Raises Invalid. What is not said is the image's."""
    given, flat = _given(params[OPTION]), {name: params["healthcheck_" + name] for name in _FLAT}
    said = {name: value for name, value in flat.items() if value is not None}
    if given is None and not said:
        return healthcheck.Check((healthcheck.NONE,)) if params[DISABLED] else None
    if params[DISABLED]:
        raise Invalid(DISABLED, "it goes with none of the other options of a health check")
    twice = sorted(set(said) & {name for name, value in (given or {}).items() if value is not None})
    if twice:
        raise Invalid("healthcheck_" + twice[0], "it is given twice: healthcheck has %s, too" % twice[0])
    return _read({**(given or {}), **said}, {name: "healthcheck_" + name for name in said})


def _given(value: t.Any) -> t.Optional[t.Dict[str, t.Any]]:
    """A string or a list is the test alone: podman's form."""
    if value is None or isinstance(value, dict):
        for key in value or ():
            if key not in _KEYS:
                raise Invalid(OPTION, "%s is not one of %s" % (key, ", ".join(_KEYS)))
        return value
    return {"test": value}


def _read(said: t.Mapping[str, t.Any], names: t.Mapping[str, str]) -> healthcheck.Check:
    def named(key: str) -> str:
        return names.get(key, "%s.%s" % (OPTION, key))

    if said.get("test_cli_compatible") not in (None, True):
        raise Invalid(named("test_cli_compatible"), "only true is accepted: without a test, the image's is run as often as is said here")
    words = test(said["test"], named("test")) if said.get("test") is not None else ()
    found = {name: duration(said[name], named(name)) for name in _TIMES if said.get(name) is not None}
    return healthcheck.Check(words, **found, retries=_retries(said.get("retries"), named("retries")))


def _retries(value: t.Any, option: str) -> int:
    """0 is docker's word for what is not said."""
    text = str(value if value is not None else 0)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(option, "%r is not a number of failures, 1 or more" % (value,))
    return int(text)


def test(value: t.Any, option: str) -> t.Tuple[str, ...]:
    """A string is for the image's shell; a list is executed. Both may begin with CMD, CMD-SHELL or NONE, as docker's and podman's do."""
    words = _of_string(value, option) if isinstance(value, str) else values.words(value, option) or ()
    if words and words[0] not in _KINDS:
        words = (healthcheck.CMD, *words)
    if not healthcheck.is_test(words):
        raise Invalid(option, "a command is accepted, as one string or a list of words, [CMD-SHELL, one string], or NONE")
    return words


def _of_string(value: str, option: str) -> values.Words:
    text = values.plain(value, option).strip()
    word, _blank, rest = text.partition(" ")
    if text.upper() == healthcheck.NONE:
        return (healthcheck.NONE,)
    if word == healthcheck.CMD:
        return (word, *(values.words(rest, option) or ()))
    if word == healthcheck.CMD_SHELL:
        return (word, rest.strip()) if rest.strip() else ()
    return (healthcheck.CMD_SHELL, value) if text else ()


def duration(value: t.Any, option: str) -> int:
    """Nanoseconds of 30s, 1m30s, 500ms; of 0, which is as good as not said, or a millisecond and more. Raises Invalid."""
    text = str(value).strip()
    found = _DURATION.fullmatch(text)
    if text != "0" and (not text or isinstance(value, bool) or found is None):
        raise Invalid(option, "%r is no duration such as 30s, 1m30s or 500ms" % (value,))
    amounts = found.groups() if found else ()
    total = int(sum(float(amount) * unit for amount, unit in zip(amounts, _UNITS) if amount))
    if 0 < total < _SHORTEST or total > 2 ** 63 - 1:
        raise Invalid(option, "%r is not between 1ms and 2500000h" % (value,))
    return total

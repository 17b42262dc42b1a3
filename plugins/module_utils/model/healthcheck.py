# SPDX-License-Identifier: BSD-2-Clause
"""A health check as it is wanted, and as an image and docker write it. Pure, and small: the launcher reads it.

Not here: what follows from its results (init/health.py), and options (edge/parse_supervision.py).
"""
from __future__ import annotations

import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Words = t.Tuple[str, ...]

NONE, CMD, CMD_SHELL = "NONE", "CMD", "CMD-SHELL"
STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
SECOND = 10 ** 9
INTERVAL, TIMEOUT, START_PERIOD, START_INTERVAL, RETRIES = 30 * SECOND, 30 * SECOND, 0, 5 * SECOND, 3


class Check(t.NamedTuple):
    """Times in nanoseconds. `test` begins with NONE, CMD or CMD-SHELL; empty: the image's. A time of 0 is one that nobody said."""

    test: Words = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0

    def argv(self) -> Words:
        return ("/bin/sh", "-c", self.test[1]) if self.test[0] == CMD_SHELL else self.test[1:]

    def over(self, other: Check) -> Check:
        """What the other one says where this one says nothing."""
        return Check(self.test or other.test, *(one or another for one, another in zip(self[1:], other[1:])))

    def shown(self) -> t.Dict[str, t.Any]:
        """As docker inspect has it; what nobody said is left out."""
        names = ("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
        return {name: list(value) if isinstance(value, tuple) else value for name, value in zip(names, self) if value}


def merged(said: t.Optional[Check], image: t.Optional[t.Mapping[str, t.Any]]) -> Check:
    """What the task says over what the image says."""
    return (said or Check()).over(of_image(image))


def effective(said: t.Optional[Check], image: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[Check]:
    """What a container gets: where the task says nothing the image's, where neither does the usual. None: there is none."""
    test, *numbers = merged(said, image)
    if not test or test[0] == NONE:
        return None
    usual = (INTERVAL, TIMEOUT, START_PERIOD, START_INTERVAL, RETRIES)
    return Check(test, *(number or default for number, default in zip(numbers, usual)))


def of_image(value: t.Optional[t.Mapping[str, t.Any]]) -> Check:
    """Of an image's config. What makes no sense there counts as not said: an image does not fail a container."""
    found = value or {}
    test = found.get("Test")
    words = tuple(test) if isinstance(test, (list, tuple)) and all(isinstance(word, str) for word in test) else ()
    names = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
    numbers = (found.get(name) for name in names)
    plain = [number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0 for number in numbers]
    return Check(words if is_test(words) else (), *plain)


def is_test(words: Words) -> bool:
    """docker's forms."""
    return words == (NONE,) or (len(words) >= 2 and words[0] == CMD) or (len(words) == 2 and words[0] == CMD_SHELL)


def to_json(check: Check) -> str:
    return json.dumps(check)


def load(value: t.Mapping[str, t.Any]) -> Check:
    """From a record. Raises TypeError, ValueError."""
    numbers = {name: int(item) for name, item in value.items() if name != "test"}
    return Check(tuple(map(str, value.get("test", ()))), **numbers)


def from_json(text: str, path: str) -> Check:
    """Raises Invalid."""
    try:
        test, *numbers = json.loads(text)
        check = Check(tuple(map(str, test)), *map(int, numbers))
    except (ValueError, TypeError, RecursionError):
        raise Invalid(path, "%r is no health check" % text[:100]) from None
    if not is_test(check.test) or check.test[0] == NONE or min(check[1:]) < 0:
        raise Invalid(path, "%r is no health check" % text[:100])
    return check

# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took, and whether it changed anything, to the file $TASK_TIMES, in order."""
from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: times of tasks for the benchmark
description: Writes a list of name, milliseconds and changed for each task.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started = 0.0
        self._found: t.List[t.Tuple[str, float, bool]] = []

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._started = time.perf_counter()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        elapsed = (time.perf_counter() - self._started) * 1000
        self._found.append((result._task.get_name(), elapsed, bool(result._result.get("changed"))))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        with open(os.environ["TASK_TIMES"], "w", encoding="utf-8") as stream:
            json.dump(self._found, stream)

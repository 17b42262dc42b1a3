# SPDX-License-Identifier: BSD-2-Clause
"""The words between a process on its way into a container and whoever forked it: one byte, and what belongs to it.

Not here: who says them when (child.py, create.py, execute.py).
"""
from __future__ import annotations

# The process: give me id maps; the first process is this one; give me network devices; run the hooks; here is what the agent listens on;
# I wait; what went wrong.
MAPS, PID, DEVICES, HOOKS, LISTENER, READY, FAILED = b"M", b"P", b"D", b"H", b"L", b"R", b"!"
GO = b"g"       # the answer

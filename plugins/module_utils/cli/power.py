# SPDX-License-Identifier: BSD-2-Clause
"""boot and shutdown: what the host's service calls. Not here: which containers are meant (engine/boot.py)."""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli.context import FAILED, OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import boot


def _shape(_parser: argparse.ArgumentParser) -> None:
    """No options."""


def _boot(context: Context, _said: argparse.Namespace) -> int:
    return _told(context, boot.start(context.acting(), context.say))


def _shutdown(context: Context, _said: argparse.Namespace) -> int:
    return _told(context, boot.stop(context.looking(), context.say))


def _told(context: Context, failures: boot.Failures) -> int:
    for error in failures.values():
        context.complain(str(error))
    return FAILED if failures else OK


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "boot": (_shape, _boot),
    "shutdown": (_shape, _shutdown),
}

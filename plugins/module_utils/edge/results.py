# SPDX-License-Identifier: BSD-2-Clause
"""What the engine answers, as a module returns it: plain JSON values that every Ansible can send.

Not here: the shapes of containers, images and so on (engine/inspect.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome

Result = t.Dict[str, t.Any]

LOGGED = "logged_output"    # what is for the host's own log, and not for whoever ran the task
_REPLACEMENT = "\ufffd"


def ensured(outcome: Outcome, wish: object) -> Result:
    """`changed`, `actions`, `plan` and `diff` of the one plan, and the module's own values beside them."""
    warnings = getattr(wish, "warnings", ())
    output = b"".join(outcome.result.get(stream, b"") for stream in ("stdout", "stderr")) if getattr(wish, "output_logs", False) else b""
    return {
        **outcome.result,
        **({LOGGED: output} if output else {}),
        "changed": outcome.changed,
        "actions": outcome.actions,
        "plan": outcome.plan,
        "diff": outcome.diff,
        **({"warnings": list(warnings)} if warnings else {}),
    }


def listed(singular: str, plural: str) -> t.Callable[[t.Sequence[Result], t.Optional[str]], Result]:
    """`exists` and the list; beside them the last of it, of several versions the largest, where something was asked for by name."""
    return lambda found, name: {"exists": bool(found), singular: found[-1] if found and name is not None else None, plural: list(found)}


def described(found: t.Mapping[str, t.Any], _wish: object) -> Result:
    return dict(found)


def json_safe(value: t.Any) -> t.Any:
    """Bytes and surrogates (file names, output of programs) become text that UTF-8 can carry."""
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, t.Mapping):
        return {json_safe(str(key)): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(json_safe(item) for item in value)
    return value


def _text(value: str) -> str:
    return "".join(_REPLACEMENT if "\ud800" <= letter <= "\udfff" else letter for letter in value)

# SPDX-License-Identifier: BSD-2-Clause
"""How YAML values become the strings that a container knows: words, variables, labels.

YAML reads `no`, `1.10` and `0755` as something else than what was typed, so what cannot be turned back is refused with a hint.
Not here: what belongs to one module only (parse_*.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Words = t.Tuple[str, ...]

HIGHEST_ID = 2**32 - 2  # of a user or group; chown(2)

_QUOTE = "quote it, so that it is the text that you typed"


def words(value: t.Any, option: str) -> t.Optional[Words]:
    """A list is taken as it is, word by word; a string is split as a shell would, without running one."""
    if value is None:
        return None
    if isinstance(value, str):
        return _split(value, option)
    if not isinstance(value, (list, tuple)):
        raise Invalid(option, "%r is neither a list of words nor one string" % (value,))
    return tuple(_word(item, option) for item in value)


def _split(value: str, option: str) -> Words:
    import shlex  # a list, the better form, needs none of it

    try:
        return tuple(plain(word, option) for word in shlex.split(value))
    except ValueError as error:
        raise Invalid(option, "%r cannot be split into words: %s" % (value, error), hint="give a list of words") from None


def _word(value: t.Any, option: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise Invalid(option, "the word %r is not a string" % (value,), hint=_QUOTE)
    return plain(value, option)


def plain(value: str, option: str) -> str:
    """The kernel ends a string at the first NUL."""
    if "\0" in value:
        raise Invalid(option, "%r holds a NUL character" % value)
    return value


def environment(value: t.Optional[t.Mapping[t.Any, t.Any]], option: str = "env") -> t.Optional[t.Dict[str, t.Optional[str]]]:
    """Strings only, as docker_container has it; null unsets a variable of the image."""
    if value is None:
        return None
    return {_variable(key, option): _setting(key, item, option) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}


def _variable(key: t.Any, option: str) -> str:
    if not isinstance(key, str) or not key or "=" in key or "\0" in key:
        raise Invalid(option, "%r is not the name of a variable: a string without `=`" % (key,))
    return key


def _setting(key: str, value: t.Any, option: str) -> t.Optional[str]:
    if value is not None and not isinstance(value, str):
        raise Invalid(option, "the value of %s is %r, which is not a string" % (key, value), hint=_QUOTE)
    return None if value is None else plain(value, option)


def labels(value: t.Optional[t.Mapping[t.Any, t.Any]], option: str = "labels") -> t.Optional[t.Dict[str, str]]:
    """Numbers become text, booleans `true` and `false`."""
    if value is None:
        return None
    return {_label_key(key, option): _label(key, item, option) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}


def _label_key(key: t.Any, option: str) -> str:
    text = _scalar(key)
    if not text or "\0" in text:
        raise Invalid(option, "%r is not the name of a label" % (key,))
    return text


def _label(key: t.Any, value: t.Any, option: str) -> str:
    text = _scalar(value)
    if text is None:
        raise Invalid(option, "the value of %s is %r; a string, a number or a boolean is accepted" % (key, value))
    return plain(text, option)


def _scalar(value: t.Any) -> t.Optional[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


def read_file(path: str, option: str, *, largest: int) -> str:
    """A small text file of the host. Raises Invalid that names the option."""
    if not path.startswith("/"):
        raise Invalid(option, "%r is not an absolute path" % path)
    try:
        with open(path, "rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise Invalid(option, "%s: %s" % (path, error.strerror), hint="it has to be a file of the managed host") from error
    if len(content) > largest:
        raise Invalid(option, "%s has more than %d bytes" % (path, largest))
    try:
        return content.decode("utf-8-sig")      # editors of Windows begin with a mark
    except UnicodeDecodeError:
        raise Invalid(option, "%s is not UTF-8 text" % path) from None


def at_least(value: t.Optional[int], least: int, option: str) -> t.Optional[int]:
    if value is not None and value < least:
        raise Invalid(option, "%d is less than %d, the smallest that is accepted" % (value, least))
    return value


def absolute(value: t.Optional[str], option: str) -> t.Optional[str]:
    """Double and trailing slashes mean nothing."""
    if value is None:
        return None
    if not value.startswith("/") or "\0" in value:
        raise Invalid(option, "%r is not an absolute path" % value)
    return "/" + "/".join(part for part in value.split("/") if part not in ("", "."))


def user(value: t.Optional[str], option: str = "user") -> t.Optional[str]:
    if value is None:
        return None
    name, colon, group = value.partition(":")
    if not name or (colon and not group) or ":" in group or any(letter.isspace() or letter == "\0" for letter in value):
        raise Invalid(option, "%r is not USER or USER:GROUP, each a name of the container or a number" % value)
    for word in (name, group):
        possible_id(word, option)
    return value


def possible_id(word: str, option: str) -> str:
    """A name, or a number that can be one of a user or group."""
    if word.isascii() and word.isdigit() and int(word[:20]) > HIGHEST_ID:
        raise Invalid(option, "%s is above the highest id, %d" % (word, HIGHEST_ID))
    return word


def mode(value: t.Any, option: str) -> t.Optional[int]:
    """A string is octal, with or without a leading zero; a number is what YAML made of one that was typed with it."""
    if value is None:
        return None
    if isinstance(value, str) and value and len(value) <= 6 and set(value) <= set("01234567"):
        number = int(value, 8)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise Invalid(option, "%r is not a mode in octal digits such as '0644'" % (value,))
    if not 0 <= number <= 0o7777:
        raise Invalid(option, "%r is not a mode between 0 and 07777" % (value,), hint=_QUOTE)
    return number

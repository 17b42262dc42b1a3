# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container_copy, read; and its result, whose diff shows text where there is one."""
from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import results, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import filetree, names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import FROM_CONTAINER, TO_CONTAINER, CopyWish, Sent

_KINDS = (filetree.FILE, filetree.DIRECTORY, filetree.LINK)
_HEX = frozenset("0123456789abcdef")


def wish(params: Params) -> CopyWish:
    """Raises Invalid."""
    direction = params["direction"] or (FROM_CONTAINER if params["from_container"] else TO_CONTAINER)
    _refuse_strangers(params, direction)
    path = values.absolute(params["path"], "path")
    container_path = values.absolute(params["container_path"], "container_path") or "/"
    sent = _sent(params["sent"])
    written = params["path"] if direction == FROM_CONTAINER else params["container_path"]
    return CopyWish(
        container=names.object_name(params["container"], "container"),
        container_path=container_path,
        direction=direction,
        path=path,
        content=_content(params),
        sent=sent,
        name=_name(path, container_path, params["sent"], direction),
        into=written is not None and written.endswith("/"),
        follow=params["follow"],
        local_follow=params["local_follow"],
        force=params["force"],
        overwrite=params["overwrite"],
        archive=params["archive"],
        mode=values.mode(params["mode"], "mode"),
        directory_mode=values.mode(params["directory_mode"], "directory_mode"),
        owner=owner(params["owner_id"], "owner_id"),
        group=owner(params["group_id"], "group_id"),
    )


def _refuse_strangers(params: Params, direction: str) -> None:
    if direction == FROM_CONTAINER and params["path"] is None:
        raise Invalid("path", "it is needed: where on the host the copy from the container goes")
    if params["content_is_b64"] and params["content"] is None:
        raise Invalid("content_is_b64", "it needs content")
    if not params["remote_src"] and direction == FROM_CONTAINER:
        raise Invalid("remote_src", "a copy from the container goes to the host; ansible.builtin.fetch brings it to the controller")
    if not params["remote_src"] and params["path"] is not None:
        raise Invalid("remote_src", "files on the controller are sent by the action plugin of this module, which has not run")


def _content(params: Params) -> t.Optional[bytes]:
    content = params["content"]
    if content is None:
        return None
    if not params["content_is_b64"]:
        return t.cast(bytes, content.encode("utf-8", "surrogateescape"))
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("content", "it is not base64: %s" % error) from None


def _name(path: t.Optional[str], container_path: str, sent: t.Optional[t.Mapping[str, t.Any]], direction: str) -> str:
    if sent is not None:
        return str(sent.get("name", ""))
    source = container_path if direction == FROM_CONTAINER else path or ""
    return source.rpartition("/")[2]


def owner(value: t.Optional[str], option: str) -> t.Optional[str]:
    """A name of the container or a number, by itself. Numbers are ASCII digits and nothing else."""
    found = values.user(value, option)
    if found is not None and (":" in found or not found.isascii()):
        raise Invalid(option, "%r is neither a number nor the name of an account" % value)
    return found


def _sent(value: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[Sent]:
    """What our own action plugin says; whoever else says it gets a clear answer all the same."""
    if value is None:
        return None
    try:
        entries = tuple(_entry(item) for item in value["entries"])
        contents = tuple(_digest(item) for item in value.get("contents", ()))
        inline = base64.b64decode(value["inline"], validate=True) if value.get("inline") is not None else None
        pack = values.absolute(value.get("pack"), "sent")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("sent", "it is not what the action plugin of this module writes: %r" % error) from None
    if not entries or entries[0].path:
        raise Invalid("sent", "its first entry is not the top")
    return Sent(entries, inline, contents, pack)


def _entry(item: t.Mapping[str, t.Any]) -> filetree.Entry:
    path, kind = str(item["path"]), str(item["kind"])
    if path.startswith("/") or "\0" in path or kind not in _KINDS or any(part in (".", "..") for part in path.split("/")):
        raise ValueError(path)
    return filetree.Entry(
        path, kind, mode=int(item["mode"]), uid=int(item["uid"]), gid=int(item["gid"]), size=int(item.get("size", 0)),
        target=str(item.get("target", "")), digest=_digest(item["digest"]) if kind == filetree.FILE else "",
    )


def _digest(value: t.Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= _HEX:
        raise ValueError(value)
    return value


def copied(done: Outcome, asked: CopyWish) -> results.Result:
    """`text` becomes the diff, as a person reads a file."""
    answer = results.ensured(done, asked)
    text = answer.pop("text", None)
    if text is not None:
        where = asked.path if asked.direction == FROM_CONTAINER else "%s:%s" % (asked.container, answer["container_path"])
        answer["diff"] = {"before": text[0], "after": text[1], "before_header": where, "after_header": where}
    return answer

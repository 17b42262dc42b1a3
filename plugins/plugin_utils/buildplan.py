# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be done to build an image: the key of each step, which of them have been done, and what is left of former builds. Pure.

A key is the digest of all that a step is made of and of the key before it, so that it stands for a content that need not be looked at.
"""
from __future__ import annotations

import hashlib
import json
import re
import typing as t

KEY, SAVED, NAME = "cocker.build.key", "cocker.build.saved", "cocker.build.name"     # labels
# What the container of a build has of its own: the option of cocker_image, its name in an image, what is said where there is none.
RUN_OTHERWISE = (("cmd", "Cmd", []), ("entrypoint", "Entrypoint", []), ("user", "User", ""), ("working_dir", "WorkingDir", ""))
ALIASES = {"command": "cmd", "workdir": "working_dir", "expose": "exposed_ports"}
CHECKPOINTS = "checkpoint/"
_FORMAT = 1             # of keys; another one makes all images anew
_DIGITS = 32            # of a key
_NAME_LENGTH = 40       # of an image, in the name of its container

Shown = t.Mapping[str, t.Any]   # an image as cocker_image_info shows it


def digest(*parts: t.Any) -> str:
    content = json.dumps([_FORMAT, *parts], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]


def base_key(images: t.Sequence[Shown]) -> str:
    """Of the layers that a build begins with, and of the environment that its tasks see."""
    return digest([image["RootFS"]["Layers"] for image in images], [image["Config"].get("Env") for image in images])


def step_keys(base: str, steps: t.Sequence[t.Any]) -> t.List[str]:
    """Each step is what it is made of, as JSON takes it."""
    keys = []
    for step in steps:
        base = digest(base, step)
        keys.append(base)
    return keys


def config(images: t.Sequence[Shown], wanted: t.Mapping[str, t.Any], key: str) -> t.Dict[str, t.Any]:
    """How the image is run: as its base images say, the higher ones first, and as is `wanted`; not as it was while it was built."""
    merged: t.Dict[str, t.Any] = {}
    for image in images:
        merged.update({name: value for name, value in image["Config"].items() if value})
    said = {name: wanted[alias] for alias, name in ALIASES.items() if alias in wanted}
    said.update((name, value) for name, value in wanted.items() if name not in ALIASES)
    inherited = {name: merged.get(shown, empty) for name, shown, empty in RUN_OTHERWISE}
    if "entrypoint" in said:
        inherited["cmd"] = []       # as cocker_image has it: an entry point does not go with another one's command
    return {**inherited, **said, "labels": {SAVED: None, NAME: None, **(said.get("labels") or {}), KEY: key}}


def reference(image: Shown) -> str:
    return "%s:%s" % (image["Cocker"]["Name"], image["Cocker"]["Version"])


def labels(image: t.Optional[Shown]) -> t.Mapping[str, str]:
    return (image or {}).get("Config", {}).get("Labels") or {}


def checkpoints(images: t.Sequence[Shown], name: str) -> t.Dict[str, Shown]:
    """Those of an image, by their keys."""
    return {image["Cocker"]["Version"]: image for image in images if image["Cocker"]["Name"] == CHECKPOINTS + name}


def resumed(keys: t.Sequence[str], known: t.Mapping[str, t.Any]) -> int:
    """How many steps need not be run."""
    return max((index for index, key in enumerate(keys, 1) if key in known), default=0)


def plan(
    *, name: str, keys: t.Sequence[str], layers: str, have: t.Optional[Shown], images: t.Sequence[Shown], force: bool
) -> t.Dict[str, t.Any]:
    """`resume`: the number of steps that are done; `saved`: what they have set; `obsolete`: checkpoints that this build does not use."""
    known = checkpoints(images, name)
    final = digest(keys[-1], layers)
    is_current = not force and labels(have).get(KEY) == final
    resume = 0 if force else resumed(keys, known)
    saved = labels(known.get(keys[resume - 1])).get(SAVED) if resume else None
    return {
        "key": final,
        "is_current": is_current,
        "resume": len(keys) if is_current else resume,
        "from": CHECKPOINTS + name + ":" + keys[resume - 1] if resume else "",
        "saved": json.loads(saved) if saved else {},
        "obsolete": sorted(reference(image) for key, image in known.items() if key not in keys),
    }


def container(name: str, run: str) -> str:
    """`run` makes it another one for each run, so that two that build the same image do not meet."""
    plain = re.sub("[^A-Za-z0-9_.=+-]", "_", name)[-_NAME_LENGTH:]
    return "build-%s-%s" % (plain, run)

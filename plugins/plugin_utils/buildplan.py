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
STEPS, BY, KEPT = "cocker.build.steps", "cocker.build.by", "cocker.build.kept"
# What the container of a build has of its own: the option of cocker_image, its name in an image, what is said where there is none.
RUN_OTHERWISE = (("cmd", "Cmd", []), ("entrypoint", "Entrypoint", []), ("user", "User", ""), ("working_dir", "WorkingDir", ""))
ALIASES = {"command": "cmd", "workdir": "working_dir", "expose": "exposed_ports"}
CHECKPOINTS = "checkpoint/"
_CONTAINER = "build-"   # what names of containers begin with, and so versions of the copies that they begin with; no key does
_FORMAT = 1             # of keys; another one makes all images anew
_DIGITS = 32            # of a key
_NAME_LENGTH = 40       # of an image, in the name of its container

Shown = t.Mapping[str, t.Any]   # an image as cocker_image_info shows it, or a container as cocker_container_info does
HasDied = t.Callable[[str], bool]       # whether the run with this mark has


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


def config(images: t.Sequence[Shown], wanted: t.Mapping[str, t.Any], key: str, steps: t.Sequence[str]) -> t.Dict[str, t.Any]:
    """How the image is run: as its base images say, the higher ones first, and as is `wanted`; not as it was while it was built.

    `steps` are the keys of its checkpoints.
    """
    merged: t.Dict[str, t.Any] = {}
    for image in images:
        merged.update({name: value for name, value in image["Config"].items() if value})
    said = {name: wanted[alias] for alias, name in ALIASES.items() if alias in wanted}
    said.update((name, value) for name, value in wanted.items() if name not in ALIASES)
    inherited = {name: merged.get(shown, empty) for name, shown, empty in RUN_OTHERWISE}
    if "entrypoint" in said:
        inherited["cmd"] = []       # as cocker_image has it: an entry point does not go with another one's command
    own = {KEY: key, STEPS: " ".join(steps)}
    return {**inherited, **said, "labels": {SAVED: None, NAME: None, BY: None, **(said.get("labels") or {}), **own}}


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


def obsolete(images: t.Sequence[Shown], name: str, version: str, keys: t.Sequence[str], has_died: HasDied) -> t.List[str]:
    """Checkpoints that neither a build with these keys nor the image's other versions go on from, and copies of builds that were killed."""
    others = (image for image in images if image["Cocker"]["Name"] == name and image["Cocker"]["Version"] != version)
    used = {*keys, *(key for image in others for key in labels(image).get(STEPS, "").split())}
    known = checkpoints(images, name)
    gone = (key for key in known if (has_died(labels(known[key]).get(BY, "")) if key.startswith(_CONTAINER) else key not in used))
    return sorted(reference(known[key]) for key in gone)


def left(containers: t.Sequence[Shown], has_died: HasDied) -> t.List[str]:
    """Those of builds that were killed, whatever they built, but for those that are kept to be looked into."""
    return sorted(container["Name"].lstrip("/") for container in containers
                  if has_died(labels(container).get(BY, "")) and KEPT not in labels(container))


def plan(
    *, name: str, version: str, keys: t.Sequence[str], layers: str, images: t.Sequence[Shown], force: bool, has_died: HasDied,
) -> t.Dict[str, t.Any]:
    """`resume`: the number of steps that are done; `saved`: what they have set."""
    known = checkpoints(images, name)
    have = next((image for image in images if reference(image) == "%s:%s" % (name, version)), None)
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
        "obsolete": obsolete(images, name, version, keys, has_died),
        "exists": have is not None,
    }


def container(name: str, run: str) -> str:
    """`run` makes it another one for each run, so that two that build the same image do not meet."""
    plain = re.sub("[^A-Za-z0-9_.=+-]", "_", name)[-_NAME_LENGTH:]
    return _CONTAINER + "%s-%s" % (plain, run)

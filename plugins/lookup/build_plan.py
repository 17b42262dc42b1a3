# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role image_build has to do. Not here: the steps as tasks (build_step.py)."""
from __future__ import annotations

DOCUMENTATION = r"""
name: build_plan
short_description: What the role image_build has to do
version_added: 0.1.0
author:
  - The cocker.engine contributors (!UNKNOWN)
description:
  - Tells which steps of a build have been done already, and which have to be run. It reads the role's variables C(image_build_*).
  - It is part of the role P(cocker.engine.image_build#role), and of little use elsewhere.
options:
  images:
    description:
      - The images of the host, as RV(cocker.engine.cocker_image_info#module:images) lists them.
    type: list
    elements: dict
    required: true
  containers:
    description:
      - The containers of the host, as RV(cocker.engine.cocker_container_info#module:containers) lists them.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Which steps would be run
  ansible.builtin.debug:
    msg: "{{ lookup('cocker.engine.build_plan', images=store.images).todo | map(attribute='name') }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary. C(todo) are the steps that have to be run, each with C(name), C(key), C(checkpoint), C(sets) and C(facts);
      C(is_current) tells whether the image is what the build would make. C(left) are containers of builds that were killed,
      C(obsolete) checkpoints that nothing goes on from any more. With C(image_build_state=absent) there are only these two.
  type: list
  elements: dict
"""

import secrets
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image_config
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.plugin_utils import buildlife, buildnames, buildplan, buildsteps

display = Display()
OPTIONS = ("from", "layers", "config", "force")

Shown = t.Mapping[str, t.Any]


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: t.Sequence[str], variables: t.Optional[buildsteps.Variables] = None, **kwargs: t.Any) -> t.List[t.Any]:
        self.set_options(var_options=variables, direct=kwargs)
        context = buildsteps.Context(variables or {}, self._templar, self._loader)
        try:
            images = self.get_option("images")
            found = remains(context, images, self.get_option("containers"))
            return [found if context.variables["image_build_state"] == "absent" else {**found, **planned(context, images)}]
        except Invalid as error:
            raise AnsibleError(str(error)) from error


def remains(context: buildsteps.Context, images: t.Sequence[Shown], containers: t.Sequence[Shown]) -> t.Dict[str, t.Any]:
    """What is there of this image, once it is removed, and of any build that was killed. Raises Invalid."""
    name, version = named(context)
    return {
        "left": buildplan.left(containers, buildlife.has_died),
        "obsolete": buildplan.obsolete(images, name, version, (), buildlife.has_died),
    }


def named(context: buildsteps.Context) -> t.Tuple[str, str]:
    """The image, and its version. Raises Invalid."""
    name, version = (context.rendered(context.variables["image_build_" + option]) for option in ("name", "version"))
    names.image_name(buildplan.CHECKPOINTS + name, "image_build_name")
    return names.image_name(name, "image_build_name"), names.image_version(str(version or versions.NONE), "image_build_version")


def planned(context: buildsteps.Context, images: t.Sequence[Shown]) -> t.Dict[str, t.Any]:
    """Raises AnsibleError, Invalid."""
    option = {name: context.rendered(context.variables["image_build_" + name]) for name in OPTIONS}
    name, version = named(context)
    check_config(option["config"])
    steps = buildsteps.given(context)
    found = [(text, resolved(str(text), images)) for text in option["from"]]
    missing = [str(text) for text, image in found if image is None]
    base = [image for _text, image in found if image is not None]
    parts = [buildsteps.made_of(context, step) for step in steps]
    keys = buildplan.step_keys(buildplan.base_key(base), content(context, steps, parts))
    plan = buildplan.plan(
        name=name, version=version, keys=keys, layers=option["layers"], images=images, force=bool(option["force"]),
        has_died=buildlife.has_died)
    warn(part.names.unseen for part in parts)
    container = buildplan.container(name, secrets.token_hex(4))
    said = [{"index": index, "name": step["name"], "key": key, "checkpoint": "%s%s:%s" % (buildplan.CHECKPOINTS, name, key),
             "sets": sorted(part.names.sets), "facts": buildsteps.facts(part.names), "is_secret": part.names.is_secret,
             "member": "%s-%d" % (container, index)}
            for index, (step, part, key) in enumerate(zip(steps, parts, keys), 1)]
    return {
        **plan, "name": name, "version": version, "missing": missing, "base": [buildplan.reference(image) for image in base],
        "config": buildplan.config(base, option["config"], plan["key"], keys),
        "container": container, "by": buildlife.own(), "steps": said, "todo": said[plan["resume"]:],
    }


def check_config(config: t.Mapping[str, t.Any]) -> None:
    """As the image is to be run is said to the host at the end only. Raises AnsibleError, Invalid."""
    checked = ArgumentSpecValidator(parse_image_config.OPTIONS).validate(dict(config))
    if checked.error_messages:
        raise AnsibleError("image_build_config: " + "; ".join(checked.error_messages))
    parse_image_config.config(checked.validated_parameters)


def content(context: buildsteps.Context, steps: t.Sequence[buildsteps.Given], parts: t.Sequence[t.Any]) -> t.List[t.Any]:
    """Of each step what its key counts: files, variables, and which tasks of a role."""
    sets = {name for part in parts for name in part.names.sets | part.names.local}
    return [{
        "files": part.digests, "tasks_from": step.get("tasks_from"), "vars": own_values(context, step["vars"], sets),
        "values": buildsteps.values(context, part.names, step["vars"], sets),
    } for step, part in zip(steps, parts)]


def own_values(context: buildsteps.Context, own: t.Mapping[str, t.Any], sets: t.Container[str]) -> t.Dict[str, t.Any]:
    """What a step is given. What depends on facts or on what another step sets counts by its text."""
    found = {}
    for name, value in sorted(own.items()):
        reads = buildnames.of_yaml(value).reads
        later = any(each in sets or each.startswith("ansible_") for each in reads)
        found[name] = str(value) if later else context.tried(value)
    return found


def resolved(text: str, images: t.Sequence[Shown]) -> t.Optional[Shown]:
    """Without a version the largest."""
    wanted = names.parse_image(text, "image_build_from")
    found = {image["Cocker"]["Version"]: image for image in images if image["Cocker"]["Name"] == wanted.name}
    version = wanted.version if wanted.version is not None else versions.largest(found)
    return found.get(version) if version is not None else None


def warn(unseen: t.Iterable[t.Iterable[str]]) -> None:
    for sentence in sorted({each for group in unseen for each in group}):
        display.warning("image_build: this is known only when it runs, so a change of it alone builds nothing anew: %s" % sentence)

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of the role image_build as a file of tasks. Not here: whether it has to be run (build_plan.py)."""
from __future__ import annotations

DOCUMENTATION = r"""
name: build_step
short_description: A step of the role image_build as a file of tasks
version_added: 0.1.0
author:
  - The cocker.engine contributors (!UNKNOWN)
description:
  - Writes a file of tasks that runs one step of a build in its container, and gives its path with the variables of the step. The file
    is on the controller, can be read by its user only, and goes at the end of the run.
  - It is part of the role P(cocker.engine.image_build#role), and of little use elsewhere.
options:
  step:
    description:
      - The step, as P(cocker.engine.build_plan#lookup) gives it.
    type: dict
    required: true
  facts:
    description:
      - The facts of the container, as M(ansible.builtin.setup) gives them. The step sees them in place of the host's.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Run a step
  ansible.builtin.include_tasks:
    file: "{{ __image_build_now.file }}"
  vars:
    __image_build_now: "{{ lookup('cocker.engine.build_step', step=step) }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary, which is to be the variable C(__image_build_now) while the step runs. C(file) is the path.
  type: list
  elements: dict
"""

import os
import tempfile
import typing as t

from ansible import constants as C
from ansible.plugins.lookup import LookupBase

from ansible_collections.cocker.engine.plugins.plugin_utils import buildsteps, buildtasks


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: t.Sequence[str], variables: t.Optional[buildsteps.Variables] = None, **kwargs: t.Any) -> t.List[t.Any]:
        self.set_options(var_options=variables, direct=kwargs)
        planned, facts = self.get_option("step"), self.get_option("facts")
        context = buildsteps.Context(variables or {}, self._templar, self._loader)
        step = buildsteps.given(context)[planned["index"] - 1]
        now, later = buildsteps.now_and_later(context, step["vars"])
        if facts:
            now = {**buildtasks.facts(facts, planned["facts"]), **now}
        mark, text = buildtasks.marked(step, {**buildtasks.references(now), **later})
        return [{"file": written(mark, text), "mark": mark, "member": planned["member"], "vars": now}]


def written(mark: str, text: str) -> str:
    """For all hosts the same file, which appears as a whole."""
    path = os.path.join(C.DEFAULT_LOCAL_TMP, "image_build-%s.yml" % mark)
    handle, temporary = tempfile.mkstemp(prefix="image_build-", dir=C.DEFAULT_LOCAL_TMP)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.rename(temporary, path)
    return path

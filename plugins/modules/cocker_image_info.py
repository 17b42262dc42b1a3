#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_image_info
short_description: Tell about images
version_added: 0.1.0
description:
  - Tells whether a image exists and what it is, or lists all images.
  - Never changes anything, and does not fail where there is nothing.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._attributes.info
  - cocker.engine._common
options:
  name:
    description:
      - The name of the image. Not set, all images are listed.
      - V(NAME:VERSION) is one image, V(NAME) is every version of it, the largest last.
    type: str
    aliases: [image]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image
"""

EXAMPLES = r"""
- name: Is the image there
  cocker.engine.cocker_image_info:
    name: debian:12
  register: debian

- name: All versions of an image
  cocker.engine.cocker_image_info:
    name: debian
  register: versions

- name: Show what they are called
  ansible.builtin.debug:
    msg: "{{ versions.images | map(attribute='RepoTags') | flatten }}"
"""

RETURN = r"""
exists:
  description: Whether there is what was asked for; without a name, whether there is any at all.
  returned: success
  type: bool
  sample: true
image:
  description:
    - The image that was asked for, as C(docker image inspect) shows it; of several versions, the largest.
    - V(null) where it does not exist, or where no name was given.
  returned: success
  type: dict
  sample:
    Created: "2026-01-12T08:30:00Z"
    RepoTags: ["debian:12"]
    Size: 195035136
images:
  description: What was found, each as in RV(image).
  returned: success
  type: list
  elements: dict
  sample:
    - Created: "2026-01-12T08:30:00Z"
      RepoTags: ["debian:12"]
      Size: 195035136
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import info


def main() -> None:
    runner.run(args_info.IMAGE, parse=parse_info.image, handler=info.images, shape=results.listed("image", "images"))


if __name__ == "__main__":
    main()

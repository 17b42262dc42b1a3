#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_image_info
short_description: Tell about images
version_added: 0.1.0
description:
  - Tells whether an image exists and what it is, or lists all images.
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
  stack:
    description:
      - Images that are to be stacked, the first at the bottom. RV(conflicts) then tells of what they bring twice.
    type: list
    elements: str
  verify:
    description:
      - Whether to compare the layers with the list of their entries that was made when they were imported. It finds what was changed,
        truncated, removed or added since. It reads no files, so it does not find what a disk has lost without anybody writing.
      - C(cocker_image) with O(cocker.engine.cocker_image#module:force=true) makes a damaged image anew.
    type: bool
    default: false
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

- name: Is it still what was imported
  cocker.engine.cocker_image_info:
    name: debian:12
    verify: true
  register: debian
  failed_when: debian.image.Verified is false

- name: What do these bring twice
  cocker.engine.cocker_image_info:
    stack: [debian:12, application]
  register: stack
  failed_when: stack.conflicts | selectattr('kind', 'eq', 'package database')

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
    - C(Size) are the bytes of its files, C(SharedSize) those in layers that other images have too, C(UniqueSize) the rest. They are
      V(null) in a list of all images where a layer was never measured.
    - C(UsedBy) are the containers that are made of it. C(History) has a line for each layer, the first at the bottom.
    - With O(verify=true) C(Verified) is V(true), V(false), or V(null) where a layer was a container's own and was never listed; C(Damage)
      tells C(Layer), C(Path), C(What) (V(missing), V(added), V(changed)) and C(Details).
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
conflicts:
  description:
    - Files of which a system has one (package databases, accounts and the like), where images of O(stack) bring different ones.
  returned: with O(stack)
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      returned: always
      type: str
      sample: /var/lib/dpkg/status
    kind:
      description: What it is.
      returned: always
      type: str
      sample: package database
    images:
      description: The images that bring it.
      returned: always
      type: list
      elements: str
      sample: ["debian:12", application]
    seen:
      description: The one whose file a container sees.
      returned: always
      type: str
      sample: application
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import image_info


def main() -> None:
    runner.run(args_info.IMAGE, parse=parse_info.image, handler=image_info.query, shape=results.described)


if __name__ == "__main__":
    main()

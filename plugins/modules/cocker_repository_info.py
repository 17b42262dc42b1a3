#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_repository_info
short_description: Search an ssh repository of images
version_added: 0.1.0
description:
  - Lists the images of a repository, those that O(match) is a part of, or tells whether one is there.
  - Never changes anything, and does not fail where there is nothing.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._attributes.info
  - cocker.engine._common
  - cocker.engine._repository
options:
  name:
    description:
      - The name of an image. V(NAME:VERSION) is one image, V(NAME) is every version of it, the largest last; V(NAME:_) is the one without
        a version.
    type: str
    aliases: [image]
  match:
    description:
      - What C(NAME[:VERSION]) of an image has somewhere in it. C(*) stands for any letters, C(?) for one.
      - If neither this nor O(name) is set, all images are listed.
    type: str
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_repository
  - module: cocker.engine.cocker_image
"""

EXAMPLES = r"""
- name: What is there
  cocker.engine.cocker_repository_info:
    repository: images@store.example
  register: found

- name: Show what it is called
  ansible.builtin.debug:
    msg: "{{ found.images | map(attribute='reference') }}"

- name: Search the repository that the host remembers
  cocker.engine.cocker_repository_info:
    match: rhel-7

- name: Is it there
  cocker.engine.cocker_repository_info:
    name: application:1.1
  register: application
  failed_when: not application.exists
"""

RETURN = r"""
repository:
  description: The address of the repository.
  returned: success
  type: str
  sample: images@store.example
exists:
  description: Whether there is what was asked for; without a name, whether there is any image at all.
  returned: success
  type: bool
  sample: true
image:
  description:
    - The image that was asked for by O(name); of several versions, the largest.
    - V(null) where it does not exist, or without O(name).
  returned: success
  type: dict
  sample:
    name: application
    reference: "application:1.1"
    version: "1.1"
images:
  description: What was found, by name, then from the smallest version to the largest.
  returned: success
  type: list
  elements: dict
  contains:
    reference:
      description: C(NAME[:VERSION]).
      returned: always
      type: str
      sample: "application:1.1"
    name:
      description: The name.
      returned: always
      type: str
      sample: application
    version:
      description: The version; V(_) is none.
      returned: always
      type: str
      sample: "1.1"
    form:
      description: V(layers), or V(cockerimage) for a single file.
      returned: always
      type: str
      sample: layers
    size:
      description: The bytes that it has in the repository; layers that it shares with others are counted.
      returned: always
      type: int
      sample: 52428800
    modified:
      description: When it was pushed, by the server's clock, in UTC.
      returned: always
      type: str
      sample: "2026-01-12T08:30:00Z"
    digest:
      description: The digest of its manifest; of a single file, what the C(.sha256) beside it says, or V(null).
      returned: always
      type: str
      sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    layers:
      description: Its layers, the first at the bottom, each with C(digest) and C(size).
      returned: always
      type: list
      elements: dict
      sample: [{"digest": "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "size": 52428800}]
    damage:
      description: Why it cannot be read, or V(null). Layers are not looked at.
      returned: always
      type: str
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_repository, parse_repository, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import repository_info


def main() -> None:
    runner.run(args_repository.INFO, parse=parse_repository.query, handler=repository_info.query, shape=results.described)


if __name__ == "__main__":
    main()

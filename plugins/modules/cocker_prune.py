#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_prune
short_description: Remove what nobody needs any more
version_added: 0.1.0
description:
  - Removes containers that do not run, and images, networks and volumes that no container needs, each only if it is asked for.
  - What only such containers need that are removed by the same task goes too.
  - Check mode names everything that would go, with its size. Nothing else goes, and what somebody begins to use in the meantime stays.
  - Options and results are those of C(community.docker.docker_prune), where they mean the same.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
options:
  containers:
    description:
      - Whether to remove containers that do not run, with what they wrote outside their volumes.
      - Those that the role P(cocker.engine.image_build#role) builds in stand still between two steps. They go only where
        O(containers_filters) has their label, C(cocker.build.name).
    type: bool
    default: false
  containers_filters:
    description:
      - Which of them. C(until) is a time such as V(2026-01-12T08:30:00Z), or a duration such as V(24h); only what was made before goes.
      - C(label) is a label, as V(KEY) or V(KEY=VALUE), or a list of them, which it must have; C(label!) is what it must not have.
    type: dict
  images:
    description:
      - Whether to remove layers that no image and no container has, and images, see O(images_filters).
      - Copies of layers go, too, that were made for users of containers that are gone or have others by now, see C(userns_mode) of
        M(cocker.engine.cocker_container).
    type: bool
    default: false
  images_filters:
    description:
      - With C(dangling=false), all images go that no container is made of. By default none goes that has a name, which every image has.
      - C(until), C(label) and C(label!) as in O(containers_filters).
    type: dict
  networks:
    description:
      - Whether to remove networks that no container is on. The default network stays.
    type: bool
    default: false
  networks_filters:
    description:
      - C(label) and C(label!) as in O(containers_filters).
    type: dict
  volumes:
    description:
      - Whether to remove volumes that no container mounts, B(with their data). To keep some, give them a label and exclude that.
    type: bool
    default: false
  volumes_filters:
    description:
      - C(until), C(label) and C(label!) as in O(containers_filters).
    type: dict
  engines:
    description:
      - Whether to remove copies of the engine that were left by former versions of this collection, and that no container runs with.
    type: bool
    default: false
  litter:
    description:
      - Whether to remove what tasks that were killed left half made. Later tasks do so as well, when they come across it.
    type: bool
    default: false
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image_info
"""

EXAMPLES = r"""
- name: What would go
  cocker.engine.cocker_prune:
    containers: true
    images: true
    images_filters:
      dangling: false
  check_mode: true
  register: waste

- name: Show it
  ansible.builtin.debug:
    msg: "{{ waste.images }} and {{ waste.containers }}: {{ waste.space_reclaimed }} bytes"

- name: Remove containers that ended more than a day ago, unless they are to be kept
  cocker.engine.cocker_prune:
    containers: true
    containers_filters:
      until: 24h
      "label!": keep

- name: Clean up after an upgrade of the collection
  cocker.engine.cocker_prune:
    engines: true
    litter: true
"""

RETURN = r"""
containers:
  description: The names of the containers that went, or would go in check mode.
  returned: success
  type: list
  elements: str
  sample: [build]
containers_space_reclaimed:
  description: The bytes on the disk that their directories took.
  returned: success
  type: int
  sample: 8192
images:
  description: The images that went.
  returned: success
  type: list
  elements: str
  sample: ["debian:11"]
images_space_reclaimed:
  description: The bytes on the disk that the layers took, which nobody has any more.
  returned: success
  type: int
  sample: 195035136
layers:
  description: The layers that went.
  returned: success
  type: list
  elements: str
  sample: [9f86d081884c7d659a2feaa0c55ad015]
layer_copies:
  description: The copies of layers that went, each as C(LAYER/COPY). Their bytes are among RV(images_space_reclaimed).
  returned: success
  type: list
  elements: str
  sample: []
networks:
  description: The networks that went.
  returned: success
  type: list
  elements: str
  sample: [web0]
volumes:
  description: The volumes that went.
  returned: success
  type: list
  elements: str
  sample: [webdata]
volumes_space_reclaimed:
  description: The bytes on the disk that they took.
  returned: success
  type: int
  sample: 4096
engines:
  description: The directories of former engines that went.
  returned: success
  type: list
  elements: str
  sample: [/var/cocker/engine/0123456789abcdef]
engines_space_reclaimed:
  description: The bytes on the disk that they took.
  returned: success
  type: int
  sample: 4096000
litter:
  description: The paths of what was left half made.
  returned: success
  type: list
  elements: str
  sample: [/var/cocker/layers/.tmp-0123456789abcdef]
litter_space_reclaimed:
  description: The bytes on the disk that it took.
  returned: success
  type: int
  sample: 0
space_reclaimed:
  description: The sum.
  returned: success
  type: int
  sample: 199143424
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      returned: always
      type: str
      sample: remove_image
    name:
      description: To what.
      returned: always
      type: str
      sample: "debian:11"
    bytes:
      description: How much it takes on the disk.
      returned: always
      type: int
      sample: 0
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: remove
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["it is not needed any more"]
diff:
  description: What changes, before and after. Ansible shows it with C(--diff).
  returned: success
  type: dict
  contains:
    before:
      description: What was found, of what changes.
      returned: always
      type: dict
    after:
      description: What is wanted instead.
      returned: always
      type: dict
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_prune, parse_prune, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import prune


def main() -> None:
    runner.run(args_prune.SPEC, parse=parse_prune.wish, handler=prune.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

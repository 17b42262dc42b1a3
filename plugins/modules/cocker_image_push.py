#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_image_push
short_description: Push an image of the host to a registry
version_added: 0.1.0
description:
  - Brings an image of the store into a registry that speaks the OCI distribution protocol. Nothing is sent if the tag names just this
    image already, which is told by the digest of its manifest, in check mode too.
  - Only blobs that the repository lacks are sent. Layers that came from another repository of the same registry are taken over there.
  - The same image gives the same digests, each time and on each host with the same version of zlib.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
  - cocker.engine._registry
options:
  name:
    description:
      - The image, which may be followed by a version as in V(debian:12). Without a version it is the largest there is.
    type: str
    required: true
    aliases: [image]
  version:
    description:
      - The version of the image, if it is not in O(name).
    type: str
    aliases: [tag]
  reference:
    description:
      - Where the image goes, as C(HOST[:PORT]/REPOSITORY[:TAG]). The tag is C(latest) if there is none.
      - If the option is not set, it is O(name) with O(version), which then has to begin with a registry.
    type: str
  format:
    description:
      - Whether manifest and config are labelled as OCI has it, or as docker's schema 2 for registries that know nothing else.
    type: str
    choices: [docker, oci]
    default: oci
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image
  - module: cocker.engine.cocker_login
"""

EXAMPLES = r"""
- name: Push an image that is called as in the registry
  cocker.engine.cocker_image_push:
    name: registry.example/team/web:1.4

- name: Push an image under another name
  cocker.engine.cocker_image_push:
    name: web:1.4
    reference: registry.example:5000/team/web:stable
    ca_path: /etc/ssl/company.pem
  register: pushed

- name: What others may pull, whatever becomes of the tag
  ansible.builtin.debug:
    msg: "registry.example:5000/team/web@{{ pushed.digest }}"
"""

RETURN = r"""
image:
  description: The image that was pushed, as C(docker image inspect) shows it.
  returned: success
  type: dict
reference:
  description: Where it is in the registry.
  returned: success
  type: str
  sample: registry.example/team/web:1.4
digest:
  description:
    - The digest of its manifest.
    - V(null) in check mode if there is nothing in the registry to compare with.
  returned: success
  type: str
  sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
layers_uploaded:
  description: How many layers the registry lacked.
  returned: when something was pushed
  type: int
  sample: 1
layers_mounted:
  description: How many layers the registry took over from another of its repositories.
  returned: when something was pushed
  type: int
  sample: 3
bytes_uploaded:
  description: The size of what was sent.
  returned: when something was pushed
  type: int
  sample: 1048576
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: C(push) or C(replace).
      returned: always
      type: str
      sample: push
    name:
      description: The image.
      returned: always
      type: str
      sample: "web:1.4"
    reference:
      description: Where to.
      returned: always
      type: str
      sample: registry.example/team/web:1.4
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: push
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the registry does not have it"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_registry, parse_registry, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import image_push


def main() -> None:
    runner.run(args_registry.PUSH, parse=parse_registry.push, handler=image_push.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

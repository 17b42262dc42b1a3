#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_repository
short_description: Push images to an ssh repository
version_added: 0.1.0
description:
  - Brings an image of the store into a repository on an ssh server, or removes it there. Lets the host remember which repository that is.
  - Nothing is sent if the repository has an image of this name with the same content. Layers that it has are not sent again.
  - What is on its way is not seen before it is whole, so a transfer that breaks off leaves the repository as it was.
  - An image in the repository is an OCI layout that shares its blobs with the others. C(SHA256SUMS) beside it names all that it needs.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
  - cocker.engine._repository
options:
  name:
    description:
      - The image, which may be followed by a version as in V(debian:12). Without a version it is the largest in the store.
      - Not needed where only O(remember=true) is asked for.
    type: str
    aliases: [image]
  version:
    description:
      - The version of the image, if it is not in O(name).
    type: str
    aliases: [tag]
  state:
    description:
      - V(present) pushes the image.
      - V(absent) removes it from the repository, with the layers that no other image there needs. The image in the store stays. The version
        has to be said; V(_) is the image without one.
    type: str
    choices: [absent, present]
    default: present
  reference:
    description:
      - What the image is called in the repository, as C(NAME[:VERSION]). If the option is not set, it is called as in the store.
    type: str
  force:
    description:
      - Whether to replace an image that is in the repository by this name and has another content. Without it that is an error.
    type: bool
    default: false
  remember:
    description:
      - Whether this host remembers O(repository), O(repository_identity), O(repository_known_hosts) and O(repository_host_key), for tasks
        that do not set O(repository). That the repository can be reached is tried before.
    type: bool
    default: false
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_repository_info
  - module: cocker.engine.cocker_image
  - module: cocker.engine.cocker_image_push
"""

EXAMPLES = r"""
- name: Push an image
  cocker.engine.cocker_repository:
    name: application:1.1
    repository: images@store.example
    repository_identity: /etc/cocker/id_ed25519
    repository_host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS

- name: Let the host remember the repository
  cocker.engine.cocker_repository:
    remember: true
    repository: images@store.example:2222/srv/images
    repository_identity: /etc/cocker/id_ed25519
    repository_known_hosts: /etc/cocker/known_hosts

- name: Push to the repository that the host remembers, whatever is there by this name
  cocker.engine.cocker_repository:
    name: application
    version: "1.1"
    reference: application:latest
    force: true

- name: Remove an image from the repository
  cocker.engine.cocker_repository:
    name: application:1.0
    state: absent
"""

RETURN = r"""
repository:
  description: The address of the repository.
  returned: success
  type: str
  sample: images@store.example
image:
  description: The image that was pushed, as C(docker image inspect) shows it.
  returned: with O(name) and O(state=present)
  type: dict
reference:
  description: What it is called in the repository.
  returned: with O(name)
  type: str
  sample: "application:1.1"
digest:
  description:
    - The digest of its manifest in the repository.
    - V(null) in check mode if there is nothing in the repository to compare with.
  returned: with O(name) and O(state=present)
  type: str
  sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
layers_uploaded:
  description: How many layers the repository lacked.
  returned: when something was pushed
  type: int
  sample: 1
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
      description: C(push), C(replace), C(remove) or C(remember).
      returned: always
      type: str
      sample: push
    name:
      description: The image, or with C(remember) the repository.
      returned: always
      type: str
      sample: "application:1.1"
    repository:
      description: Where to.
      returned: for C(push) and C(replace)
      type: str
      sample: images@store.example
    reference:
      description: What it is called there.
      returned: for C(push) and C(replace)
      type: str
      sample: "application:1.1"
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
      sample: ["the repository does not have it"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_repository, parse_repository, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import repository


def main() -> None:
    runner.run(args_repository.REPOSITORY, parse=parse_repository.wish, handler=repository.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

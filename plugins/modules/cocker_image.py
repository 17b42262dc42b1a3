#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_image
short_description: Manage the images of a host
version_added: 0.1.0
description:
  - Brings images into the store of the host, from an archive, a directory or the host's own programs, and removes them.
  - An image is made again when its source has another content than the image came from.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true) the image is always made anew.
options:
  name:
    description:
      - The name of the image, such as V(debian), V(registry.example/library/debian) or V(calvin=rhel-7.4-x86_64), which may be
        followed by a version as in V(debian:12).
    type: str
    required: true
    aliases: [image]
  version:
    description:
      - The version of the image, if it is not in O(name).
      - A container that names an image without a version gets the largest that there is.
    type: str
    aliases: [tag]
  state:
    description:
      - V(present) makes the image from O(source) if it does not exist, or if it came from another content. Without
        O(source) it fails if the image does not exist.
      - V(absent) removes the image. This is refused while a container needs it. The other options are then not looked at.
    type: str
    choices: [absent, present]
    default: present
  source:
    description:
      - V(archive) is a root file system as C(.tar), C(.tar.gz), C(.tar.xz) or C(.tar.zst), at O(path).
      - V(directory) is a root file system below O(path) on the host. It is copied.
      - V(host) is a small root that is made of programs of the host and the libraries they need. It is meant for tests.
    type: str
    choices: [archive, directory, host]
  path:
    description:
      - Where the archive or the directory is.
    type: path
  remote_src:
    description:
      - Whether O(path) is on the managed host. If V(false), the archive is on the controller, and is sent to the host if
        it is needed there.
    type: bool
    default: true
  archive_digest:
    description:
      - The SHA-256 of the archive, in hexadecimal.
      - Set by the part of this module that runs on the controller, where O(remote_src=false). Of no use in a playbook.
    type: str
  programs:
    description:
      - With O(source=host), the programs that the image holds, by name or path, instead of a small set that is always the same.
    type: list
    elements: str
  force:
    description:
      - Whether to make the image from O(source) even if it exists.
    type: bool
    default: false
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image_info
  - module: cocker.engine.cocker_container
"""

EXAMPLES = r"""
- name: An image from an archive on the host
  cocker.engine.cocker_image:
    name: debian
    version: "12"
    source: archive
    path: /srv/debian-12.tar.zst

- name: An image from an archive on the controller, sent once
  cocker.engine.cocker_image:
    name: debian:12
    source: archive
    path: files/debian-12.tar.xz
    remote_src: false

- name: An image from a root that debootstrap made
  cocker.engine.cocker_image:
    name: debian:trixie
    source: directory
    path: /srv/trixie

- name: A test image that needs nothing but the host
  cocker.engine.cocker_image:
    name: test
    version: 1.0.0
    source: host
    programs: [sh, ls, cat, python3]

- name: Fail early if an image is missing
  cocker.engine.cocker_image:
    name: debian:12

- name: Remove an image
  cocker.engine.cocker_image:
    name: test:1.0.0
    state: absent
"""

RETURN = r"""
image:
  description:
    - The image, as C(docker image inspect) shows it.
    - V(null) where it does not exist.
  returned: success
  type: dict
  sample:
    Architecture: amd64
    Config: {Cmd: null, Entrypoint: null, Env: null}
    Created: "2026-01-12T08:30:00Z"
    Os: linux
    RepoTags: ["debian:12"]
    Size: 195035136
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
      sample: import
    name:
      description: To what.
      returned: always
      type: str
      sample: "debian:12"
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: import
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the image is not in the store"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image, parse_image, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import images


def main() -> None:
    runner.run(args_image.SPEC, parse=parse_image.wish, handler=images.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_image_export
short_description: Write images of a host into a file
version_added: 0.1.0
description:
  - Writes one image or several into an archive on the host, for other engines, other hosts, or to keep.
  - The same images give the same bytes. A file that is there and has them is left alone, whatever its time says; one that was
    damaged is written anew. The new file takes the place of the old one when it is whole.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true) the file is always written.
options:
  names:
    description:
      - The images, each as C(NAME) or C(NAME:VERSION). Without a version it is the largest there is.
    type: list
    elements: str
    required: true
    aliases: [name, image]
  version:
    description:
      - The version of those that O(names) gives without one.
    type: str
    aliases: [tag]
  path:
    description:
      - The file on the host. With O(format=cockerimage) it may be a directory, in which the file is then called
        C(NAME[:VERSION].cockerimage).
      - A new file can be read by root alone. One that is replaced keeps its owner and mode.
    type: path
    required: true
    aliases: [dest]
  format:
    description:
      - V(docker-archive) is read by C(docker load), V(oci-archive) is an OCI layout in a tar archive. Both hold the images with
        their layers, config and history, and may hold several.
      - V(rootfs) is the tree that the image shows. V(cockerimage) is such a tree, and tells also what it hides of images that it
        is stacked on.
      - V(cockerimage) if O(path) ends so, else V(docker-archive) if it is not set.
    type: str
    choices: [rootfs, cockerimage, docker-archive, oci-archive]
  compression:
    description:
      - With O(format=oci-archive) that of the layers, else that of the file.
      - V(gzip) for V(oci-archive) and V(cockerimage), else V(none) if it is not set.
    type: str
    choices: [none, gzip, zstd]
  force:
    description:
      - Whether to write the file even if it is there and right.
    type: bool
    default: false
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image
  - module: cocker.engine.cocker_image_info
"""

EXAMPLES = r"""
- name: An image for docker load
  cocker.engine.cocker_image_export:
    name: app:1.0
    path: /srv/app.tar

- name: Two images in one OCI layout
  cocker.engine.cocker_image_export:
    names: [app:1.0, app:1.1]
    path: /srv/app.oci.tar
    format: oci-archive
    compression: zstd

- name: The largest version as /srv/images/app:VERSION.cockerimage
  cocker.engine.cocker_image_export:
    name: app
    path: /srv/images
    format: cockerimage

- name: What a container of the image would see, for other tools
  cocker.engine.cocker_image_export:
    name: app
    version: "1.0"
    path: /srv/app-root.tar.gz
    format: rootfs
    compression: gzip
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /srv/app.tar
digest:
  description: The SHA-256 of the file. V(null) where check mode would make a file that is not there.
  returned: success
  type: str
  sample: "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
size:
  description: The bytes of the file. V(null) where check mode would make a file that is not there.
  returned: success
  type: int
  sample: 195043328
images:
  description: The images that are in it, as C(docker image inspect) shows them.
  returned: success
  type: list
  elements: dict
image:
  description: The first of them.
  returned: success
  type: dict
  sample:
    Config: {Cmd: null, Entrypoint: null, Env: null}
    RepoTags: ["app:1.0"]
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
      sample: export
    name:
      description: To what.
      returned: always
      type: str
      sample: /srv/app.tar
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: export
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the file does not exist"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image_export, parse_image_export, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import image_export


def main() -> None:
    runner.run(args_image_export.SPEC, parse=parse_image_export.wish, handler=image_export.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

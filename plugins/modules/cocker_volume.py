#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_volume
short_description: Manage named volumes
version_added: 0.1.0
description:
  - Makes volumes that containers mount by name, and removes them.
  - The data of a volume is never compared, changed or lost implicitly. Only O(state=absent) removes it, and that is
    refused while a container uses the volume.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
options:
  name:
    description:
      - The name of the volume.
    type: str
    required: true
    aliases: [volume_name]
  state:
    description:
      - V(present) makes the volume if it does not exist.
      - V(absent) removes it with its data.
    type: str
    choices: [absent, present]
    default: present
  labels:
    description:
      - Labels of the volume. Numbers and booleans become text.
      - Left out, the volume has none.
    type: dict
    aliases: [label]
  owner:
    description:
      - Who owns the top directory of the volume, as the name of a user of the host or as a number. A user of a container only is given
        by number.
      - What is in the volume keeps its owner, also when this changes. A volume that an image fills gets it, too.
      - Left out, it is root, or whoever the image says, and is not managed.
    type: str
  group:
    description:
      - The group of the top directory, as O(owner) is its owner.
    type: str
  mode:
    description:
      - The mode of the top directory in octal digits. Left out, it is V("0755"), or what the image says, and is not managed.
    type: raw
  size:
    description:
      - How much the volume takes, such as V(10G), at least V(1M). What a container writes beyond that fails, as if the disk
        were full. V(0) is no limit. Left out, the size is not managed.
      - The file system of O(cocker_home) has to have quotas of directories, btrfs those of subvolumes (C(btrfs quota enable)), ext4 and XFS
        those of projects (the mount option C(prjquota)). M(cocker.engine.cocker_host_info) says whether it has. Elsewhere the task fails
        before anything is made.
      - It can be raised and lowered while containers run, and never touches data. Less than what is in the volume is refused.
      - It is for a volume that was made with a size. One that was made without can get none, as nothing of its data is touched. Write
        an archive of it with M(cocker.engine.cocker_volume_archive), remove it, make it anew and restore the archive.
      - It is a fence, and no wall, on ext4 and XFS. Whoever owns a file may take it out of its project, unless the container has users of
        its own (O(cocker.engine.cocker_container#module:userns_mode)), and on ext4 who has the capability C(SYS_RESOURCE) is not limited.
    type: str
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_volume_info
  - module: cocker.engine.cocker_volume_archive
  - module: cocker.engine.cocker_container
"""

EXAMPLES = r"""
- name: A volume for the data of a service
  cocker.engine.cocker_volume:
    name: webdata
    labels:
      backup: nightly
  register: webdata

- name: Its files are below this directory on the host
  ansible.builtin.debug:
    var: webdata.volume.Mountpoint

- name: A volume for a service that is not root, by the number of its user in the container
  cocker.engine.cocker_volume:
    name: database
    owner: "999"
    group: "999"
    mode: "0700"

- name: A volume for what comes from outside, of which nobody knows how much it will be
  cocker.engine.cocker_volume:
    name: uploads
    size: 20G

- name: Other labels; the data stays
  cocker.engine.cocker_volume:
    name: webdata
    labels:
      backup: weekly

- name: Remove the volume and its data
  cocker.engine.cocker_volume:
    name: webdata
    state: absent
"""

RETURN = r"""
volume:
  description:
    - The volume, as C(docker volume inspect) shows it.
    - V(null) where it does not exist.
  returned: success
  type: dict
  sample:
    CreatedAt: "2026-01-12T08:30:00Z"
    Driver: local
    Labels: {backup: nightly}
    Mountpoint: /var/cocker/volumes/webdata/_data
    Name: webdata
    Scope: local
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
      sample: create
    name:
      description: To what.
      returned: always
      type: str
      sample: webdata
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: create
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the volume does not exist"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_volume, parse_volume, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import volumes


def main() -> None:
    runner.run(args_volume.SPEC, parse=parse_volume.wish, handler=volumes.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

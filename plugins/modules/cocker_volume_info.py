#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_volume_info
short_description: Tell about volumes
version_added: 0.1.0
description:
  - Tells whether a volume exists and what it is, or lists all volumes.
  - Never changes anything, and does not fail where there is nothing.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._attributes.info
  - cocker.engine._common
options:
  name:
    description:
      - The name of the volume. Not set, all volumes are listed.
    type: str
    aliases: [volume_name]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_volume
"""

EXAMPLES = r"""
- name: Look at one volume
  cocker.engine.cocker_volume_info:
    name: webdata
  register: webdata

- name: Save its data, if there is any
  cocker.engine.cocker_volume_archive:
    name: webdata
    path: /srv/backup/webdata.tar.gz
  when: webdata.exists

- name: All volumes
  cocker.engine.cocker_volume_info:
  register: all
"""

RETURN = r"""
exists:
  description: Whether there is what was asked for; without a name, whether there is any at all.
  returned: success
  type: bool
  sample: true
volume:
  description:
    - The volume that was asked for, as C(docker volume inspect) shows it.
    - V(null) where it does not exist, or where no name was given.
  returned: success
  type: dict
  sample:
    Labels: {backup: nightly}
    Mountpoint: /var/cocker/volumes/webdata/_data
    Name: webdata
volumes:
  description: What was found, each as in RV(volume).
  returned: success
  type: list
  elements: dict
  sample:
    - Labels: {backup: nightly}
      Mountpoint: /var/cocker/volumes/webdata/_data
      Name: webdata
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_info, parse_info, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import info


def main() -> None:
    runner.run(args_info.VOLUME, parse=parse_info.named, handler=info.volumes, shape=results.listed("volume", "volumes"))


if __name__ == "__main__":
    main()

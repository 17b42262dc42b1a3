#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_volume_archive
short_description: Back up the data of a volume into a file, and restore it
version_added: 0.1.0
description:
  - Writes what a volume holds into a tar archive on the host, or makes a volume hold what is in one, with owners, modes, times, holes,
    links, extended attributes and capabilities.
  - The same data gives the same bytes, so a file that is there and has them is left alone, whatever its time says. A new file, and data
    that is restored, takes the place of the former in one step when it is whole.
  - Data that is not the archive's is replaced only with O(force=true).
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
options:
  name:
    description:
      - The name of the volume. One that does not exist is made when it is restored.
    type: str
    required: true
    aliases: [volume_name]
  path:
    description:
      - The file on the host.
      - A new one can be read by root alone. One that is replaced keeps its owner and mode.
    type: path
    required: true
  operation:
    description:
      - V(backup) writes the file. What a container writes meanwhile may be in it or not; a file that becomes shorter while it is read
        fails the task. Stop or pause the containers that write, where it matters.
      - V(restore) makes the volume hold what is in the file, and nothing else. It is any tar archive, plain or compressed by gzip, bzip2,
        xz or zstd. This is refused while a container that mounts the volume runs.
    type: str
    choices: [backup, restore]
    default: backup
  compression:
    description:
      - How the file is compressed when it is written.
      - Left out, it follows from the ending of O(path), V(gzip) for C(.gz) and C(.tgz), V(zstd) for C(.zst) and C(.tzst), else V(none).
    type: str
    choices: [none, gzip, zstd]
  force:
    description:
      - What O(operation=restore) does with a volume that holds other data than the archive. V(true) replaces the data, V(false) leaves it
        and is satisfied, which fits data that a volume begins with.
      - Left out, the task fails.
    type: bool
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_volume
"""

EXAMPLES = r"""
- name: A backup of each day
  cocker.engine.cocker_volume_archive:
    name: webdata
    path: "/srv/backup/webdata-{{ now().strftime('%F') }}.tar.zst"

- name: A database is paused while it is backed up
  block:
    - name: Pause it
      cocker.engine.cocker_container:
        name: database
        state: paused

    - name: Back it up
      cocker.engine.cocker_volume_archive:
        name: database
        path: /srv/backup/database.tar.gz
  always:
    - name: Let it go on
      cocker.engine.cocker_container:
        name: database
        state: started

- name: Data that a new volume begins with, and that is the container's from then on
  cocker.engine.cocker_volume_archive:
    name: webdata
    path: /srv/seed/webdata.tar.gz
    operation: restore
    force: false

- name: Back to the state of a backup, whatever the volume holds now
  cocker.engine.cocker_volume_archive:
    name: webdata
    path: /srv/backup/webdata-2026-01-12.tar.zst
    operation: restore
    force: true
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /srv/backup/webdata.tar.gz
digest:
  description: The SHA-256 of the file. V(null) where check mode would make a file that is not there.
  returned: success
  type: str
  sample: "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
size:
  description: The bytes of the file. V(null) where check mode would make a file that is not there.
  returned: success
  type: int
  sample: 1048576
volume:
  description: The volume, as C(docker volume inspect) shows it.
  returned: success
  type: dict
  sample:
    Labels: {backup: nightly}
    Mountpoint: /var/cocker/volumes/webdata/_data
    Name: webdata
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
      sample: backup
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
      sample: backup
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_volume_archive, parse_volume_archive, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import volume_archive


def main() -> None:
    runner.run(args_volume_archive.SPEC, parse=parse_volume_archive.wish, handler=volume_archive.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

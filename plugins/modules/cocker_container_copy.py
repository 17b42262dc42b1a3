#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_container_copy
short_description: Copy files and trees between a host and a container
version_added: 0.1.0
description:
  - Copies a file, a tree or a text into a container, or a file or a tree out of it, whether the container runs or not.
  - Contents are compared, so that a second run changes nothing. Every file is written beside its place and then put into it, so that
    nobody ever sees half of one, and a task that fails leaves everything as it was.
  - Nothing is run in the container, and no link of the container leads out of it, whatever it does meanwhile.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true) files are always written.
options:
  container:
    description:
      - The name of the container.
    type: str
    required: true
    aliases: [name]
  container_path:
    description:
      - The file or directory in the container, as an absolute path. Directories on the way are made where they are missing.
      - A file goes into a directory that is there already, or that is written with a slash at its end, under its own name. What is in a
        directory goes into this directory, beside what is there.
    type: str
    required: true
    aliases: [dest]
  path:
    description:
      - The file or directory outside of the container. With O(remote_src=false) it is looked for as M(ansible.builtin.copy) does it.
      - Out of a container, the rules of O(container_path) hold for this path, and it is on the host.
      - Exactly one of O(path) and O(content) is needed.
    type: path
    aliases: [src]
  content:
    description:
      - The content of the file in the container.
    type: str
  content_is_b64:
    description:
      - Whether O(content) is Base64, as is needed for what is no text.
    type: bool
    default: false
  direction:
    description:
      - Which way. Not set, it is V(to_container).
    type: str
    choices: [to_container, from_container]
  from_container:
    description:
      - The same as O(direction), as C(containers.podman.podman_container_copy) has it.
    type: bool
  remote_src:
    description:
      - Whether O(path) is on the managed host. If V(false), it is on the controller, and only contents that the container does
        not have are sent.
    type: bool
    default: true
  sent:
    description:
      - What is at O(path) on the controller.
      - Set by the part of this module that runs on the controller, where O(remote_src=false). Of no use in a playbook.
    type: dict
  follow:
    description:
      - Whether a link at the end of O(container_path) is followed, inside of the container. If V(false), it is replaced by the copy or,
        out of a container, copied as a link. Links before the end are always followed.
    type: bool
    default: false
  local_follow:
    description:
      - Whether a link at the end of O(path) is followed, where this is the source. Links in a tree stay links.
    type: bool
    default: true
  force:
    description:
      - V(true) writes all files, even if they are the same. V(false) does nothing if there is anything at the destination.
      - Not set, what differs is written.
    type: bool
  overwrite:
    description:
      - Whether a directory may be replaced by a file or a link, and one of these by a directory. Otherwise the task fails.
    type: bool
    default: false
  archive:
    description:
      - Whether files belong to the container's own user and, out of a container, to root. If V(false), they keep the owner and group
        ids that they have.
    type: bool
    default: true
  mode:
    description:
      - The mode of files, as a string of octal digits such as V('0644').
      - Not set, it is that of the source, without set-id bits when it comes out of a container. A file from O(content) keeps its mode,
        and a new one gets V('0644').
    type: raw
  directory_mode:
    description:
      - The mode of directories of a tree. Not set, it is that of the source.
    type: raw
  owner_id:
    description:
      - Who owns the files, as a number or, into a container, a name that it knows.
    type: str
    aliases: [owner]
  group_id:
    description:
      - The group of the files, as a number or, into a container, a name that it knows.
    type: str
    aliases: [group]
notes:
  - Files that are neither files, directories nor links are left out, and named in RV(left_out).
  - Extended attributes, times and second names of one file are not copied.
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_container_exec
  - module: cocker.engine.cocker_container_template
"""

EXAMPLES = r"""
- name: A text
  cocker.engine.cocker_container_copy:
    container: web
    container_path: /www/index.html
    content: "hello\n"
    mode: "0644"

- name: A tree of the controller, of which only what differs is sent
  cocker.engine.cocker_container_copy:
    container: web
    path: files/site
    remote_src: false
    container_path: /www
    owner_id: www-data

- name: A file of the host, under its own name
  cocker.engine.cocker_container_copy:
    container: web
    path: /etc/ssl/certs/ca-certificates.crt
    container_path: /etc/ssl/certs/

- name: A configuration out of the container, for a look
  cocker.engine.cocker_container_copy:
    container: web
    direction: from_container
    container_path: /etc/nginx
    path: /var/backups/web/nginx
"""

RETURN = r"""
container_path:
  description: The path in the container, with the name of the file where it went into a directory.
  returned: success
  type: str
  sample: /www/index.html
left_out:
  description: The paths below the source of what is neither file, directory nor link.
  returned: success
  type: list
  elements: str
  sample: []
actions:
  description: What was done, or would be done in check mode. One action is the whole copy.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      returned: always
      type: str
      sample: copy
    name:
      description: The container.
      returned: always
      type: str
      sample: web
    direction:
      description: Which way.
      returned: always
      type: str
      sample: to_container
    path:
      description: The destination.
      returned: always
      type: str
      sample: /www
    entries:
      description: How many files, directories and links change.
      returned: always
      type: int
      sample: 3
    bytes:
      description: How many bytes are written.
      returned: always
      type: int
      sample: 4711
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: copy
    reasons:
      description: Each path with what differs; V(new), V(kind), V(content), V(mode), V(owner). Of many, the first.
      returned: always
      type: list
      elements: str
      sample: ["index.html: content, mode"]
diff:
  description: What changes, before and after. Ansible shows it with C(--diff).
  returned: success
  type: dict
  contains:
    before:
      description: The text of a single file; else each path with its kind, mode, owner, size.
      returned: always
      type: raw
      sample: "hello\n"
    after:
      description: The same, as it is wanted.
      returned: always
      type: raw
      sample: "hello, world\n"
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_copy, parse_copy, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import copy


def main() -> None:
    runner.run(args_copy.SPEC, parse=parse_copy.wish, handler=copy.ensure, shape=parse_copy.copied)


if __name__ == "__main__":
    main()

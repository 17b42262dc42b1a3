#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_container_template
short_description: Make a file of a container from a template in it
version_added: 0.1.0
description:
  - Replaces words of a file in a container by values, as the command C(rplfile) of cocker does, whether the container runs or not. An image
    that was built once brings the template, and each container gets values of its own.
  - A word is any text, and is found anywhere in the template; V(${NAME}) is a custom and not a syntax. The template is read once from left
    to right, of several words at one place the longest counts, and what a value brings is not looked at again.
  - The file is replaced as a whole, so that nobody ever sees half of it. Nothing is run in the container, and no link of the
    container leads out of it.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
options:
  container:
    description:
      - The name of the container.
    type: str
    required: true
    aliases: [name]
  template_file:
    description:
      - The template, as an absolute path in the container.
    type: str
    required: true
    aliases: [src]
  instance_file:
    description:
      - The file that is made from it, as an absolute path in the container. Directories on the way are made where they are missing.
      - Not set, it is O(template_file) itself. Then no value may bring a word that is to be replaced.
    type: str
    aliases: [dest]
  mapping:
    description:
      - The words with their values, which are strings or whole numbers.
      - Exactly one of O(mapping) and O(mapping_file) is needed.
    type: dict
  mapping_file:
    description:
      - A file with one word in each line, blanks, and its value, which is the rest of the line without the blanks around it. It may
        have blanks in it, and it may be empty. Empty lines mean nothing. There are no comments and no quotes.
    type: path
  remote_src:
    description:
      - Whether O(mapping_file) is on the managed host. If V(false), it is on the controller, and is looked for as
        M(ansible.builtin.copy) does it.
    type: bool
    default: true
  mapping_b64:
    description:
      - What is in O(mapping_file) on the controller, as Base64.
      - Set by the part of this module that runs on the controller, where O(remote_src=false). Of no use in a playbook.
    type: str
  strict:
    description:
      - Whether the task fails if the template holds a V(${...}) that no word of the mapping replaces.
    type: bool
    default: false
  mode:
    description:
      - The mode of the file, as a string of octal digits such as V('0644'). Not set, it stays as it is, and a new file gets that of the
        template.
    type: raw
  owner_id:
    description:
      - Who owns the file, as a number or a name that the container knows. Not set, it stays as it is, and a new file gets that of the
        template.
    type: str
    aliases: [owner]
  group_id:
    description:
      - The group of the file, likewise.
    type: str
    aliases: [group]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_container_copy
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: The configuration of this instance
  cocker.engine.cocker_container_template:
    container: gateway1
    template_file: /root/etc/G6.conf.tpl
    instance_file: /root/etc/G6.conf
    mapping:
      "${LISTEN}": 0.0.0.0:8600
      "${TARGET}": 10.166.88.2:22
    strict: true

- name: The same from a file beside the playbook
  cocker.engine.cocker_container_template:
    container: gateway1
    template_file: /root/etc/G6.conf.tpl
    instance_file: /root/etc/G6.conf
    mapping_file: files/G6.conf.map
    remote_src: false
"""

RETURN = r"""
instance_file:
  description: The file that is made.
  returned: success
  type: str
  sample: /root/etc/G6.conf
replacements:
  description: How often a word of the template is replaced.
  returned: success
  type: int
  sample: 2
unreplaced:
  description: What looks like a word to replace, V(${...}), and has no value, each once.
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
      sample: /root/etc/G6.conf
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
      sample: ["/root/etc/G6.conf: new"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_template, parse_template, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import template


def main() -> None:
    runner.run(args_template.SPEC, parse=parse_template.wish, handler=template.ensure, shape=parse_template.instantiated)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_login
short_description: Keep credentials of an image registry
version_added: 0.1.0
description:
  - Stores user and password of a registry on the host, after the registry has taken them, for the modules that pull and push images.
  - The file is written as a whole or not at all, and only root can read it. The password is in no result, no diff and no log.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
  - cocker.engine._registry
options:
  registry:
    description:
      - The registry as C(HOST) or C(HOST:PORT), as it is written in the names of images.
    type: str
    required: true
    aliases: [registry_url, url]
  username:
    description:
      - The user. Needed with O(state=present).
    type: str
  password:
    description:
      - The password, or a token that the registry takes instead of one. Needed with O(state=present).
    type: str
  state:
    description:
      - V(present) stores the credentials.
      - V(absent) removes what is stored for the registry. The registry is not asked.
    type: str
    choices: [absent, present]
    default: present
  verify:
    description:
      - Whether the registry has to take the credentials before they are stored, in check mode too. Set it to V(false) for a registry
        that cannot be reached yet.
    type: bool
    default: true
  reauthorize:
    description:
      - Whether the registry is asked also about credentials that are stored already, so that the task fails if it no longer takes them.
    type: bool
    default: false
    aliases: [reauth]
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image
"""

EXAMPLES = r"""
- name: Log in to a registry
  cocker.engine.cocker_login:
    registry: registry.example
    username: deploy
    password: "{{ registry_password }}"

- name: Log in to a registry whose certificate is from the company's own authority
  cocker.engine.cocker_login:
    registry: registry.example:5000
    username: deploy
    password: "{{ registry_password }}"
    ca_path: /etc/ssl/company.pem

- name: Use the file of docker, so that both know the credentials
  cocker.engine.cocker_login:
    registry: registry.example
    username: deploy
    password: "{{ registry_password }}"
    config_path: /root/.docker/config.json

- name: Log out
  cocker.engine.cocker_login:
    registry: registry.example
    state: absent
"""

RETURN = r"""
login_result:
  description:
    - What is stored, without the password.
    - V(null) with O(state=absent).
  returned: success
  type: dict
  contains:
    registry:
      description: The registry.
      returned: always
      type: str
      sample: registry.example
    username:
      description: The user.
      returned: always
      type: str
      sample: deploy
    config_path:
      description: The file that holds the credentials.
      returned: always
      type: str
      sample: /var/cocker/auth.json
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: One of C(log in), C(change), C(protect) and C(log out).
      returned: always
      type: str
      sample: log in
    name:
      description: The registry.
      returned: always
      type: str
      sample: registry.example
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: log in
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the file has no credentials of the registry"]
diff:
  description: What changes, before and after. Ansible shows it with C(--diff). Of a password only that it changes.
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
from ansible_collections.cocker.engine.plugins.module_utils.engine import login


def main() -> None:
    runner.run(args_registry.LOGIN, parse=parse_registry.login, handler=login.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

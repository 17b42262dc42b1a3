#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_container_exec
short_description: Run a command in a container
version_added: 0.1.0
description:
  - Runs a command in a running container, with the rights that the container's own processes have, and waits for its end.
  - A command that ends with another code than 0 does not fail the task. Use C(failed_when) where it shall. One that
    cannot be executed at all does.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
attributes:
  check_mode:
    support: partial
    details:
      - What a command would change is not known, so nothing is run. With O(creates) or O(removes) the task says whether it would run,
        otherwise it is skipped.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Whether a command changes anything is not known. Use O(creates) or O(removes), or C(changed_when) where you know.
options:
  container:
    description:
      - The name of the container.
    type: str
    required: true
    aliases: [name]
  command:
    description:
      - The command as one string, which is split into words as a shell would, or as a list of words. No shell runs it.
      - Exactly one of O(command) and O(argv) is needed.
    type: raw
  argv:
    description:
      - The command as a list of words.
    type: list
    elements: str
  chdir:
    description:
      - The directory in the container that the command starts in. Not set, it is the container's own.
    type: str
    aliases: [workdir]
  env:
    description:
      - Environment variables, on top of those of the container. Values must be strings.
    type: dict
  user:
    description:
      - Who runs the command, V(USER) or V(USER:GROUP). Not set, it is the container's own.
    type: str
  stdin:
    description:
      - What the command reads from its standard input. Not set, there is nothing to read.
    type: str
  stdin_add_newline:
    description:
      - Whether a newline follows O(stdin).
    type: bool
    default: true
  strip_empty_ends:
    description:
      - Whether the newlines at the end of RV(stdout) and RV(stderr) are left out.
    type: bool
    default: true
  timeout:
    description:
      - After how many seconds the command is killed, with all that it has started, which fails the task. Not set, it may run for ever.
    type: float
  tty:
    description:
      - Whether the command has a terminal. Then RV(stdout) holds all that it writes, and the terminal's own line ends.
    type: bool
    default: false
  detach:
    description:
      - Whether the task ends as soon as the command has been started. It goes on until it ends, or the container does.
      - What it writes is kept beside the container, and is told with its code by M(cocker.engine.cocker_container_info) for RV(exec_id). Of
        those that have ended, the last 50 are kept.
    type: bool
    default: false
  creates:
    description:
      - A path in the container. If it exists, nothing is run and nothing has changed.
    type: str
  removes:
    description:
      - A path in the container. If it does not exist, nothing is run and nothing has changed.
    type: str
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_container
"""

EXAMPLES = r"""
- name: What the container calls itself
  cocker.engine.cocker_container_exec:
    container: web
    command: hostname
  register: answer
  changed_when: false

- name: A command that must succeed, with words that need no quoting
  cocker.engine.cocker_container_exec:
    container: web
    argv: [/bin/sh, -c, "test -s /data/index.html && echo served"]
  register: index
  failed_when: index.rc != 0

- name: Input, a user, variables and a deadline
  cocker.engine.cocker_container_exec:
    container: database
    argv: [psql, --quiet]
    chdir: /tmp
    user: postgres
    env:
      PGDATABASE: shop
    stdin: "select count(*) from orders;"
    timeout: 30

- name: A step that is done once
  cocker.engine.cocker_container_exec:
    container: database
    argv: [initdb, --pgdata, /srv/data]
    user: postgres
    creates: /srv/data/PG_VERSION

- name: A job that takes its time
  cocker.engine.cocker_container_exec:
    container: database
    argv: [vacuumdb, --all]
    detach: true
  register: job
"""

RETURN = r"""
exec_id:
  description: Names the command that goes on.
  returned: with O(detach=true)
  type: str
  sample: 6e2c0f9e8a6f4d0f8a4e
msg:
  description: Why nothing was run.
  returned: with O(creates) or O(removes), or in check mode
  type: str
  sample: skipped, since /srv/data/PG_VERSION exists
rc:
  description: The code that the command ended with; 128 and the signal's number where a signal ended it.
  returned: success
  type: int
  sample: 0
stdout:
  description: What the command wrote to its standard output.
  returned: success
  type: str
  sample: web
stderr:
  description: What the command wrote to its standard error.
  returned: success
  type: str
  sample: ""
start:
  description: When the command was started.
  returned: success
  type: str
  sample: "2026-01-12 08:30:00.000000"
end:
  description: When the command ended.
  returned: success
  type: str
  sample: "2026-01-12 08:30:00.010000"
delta:
  description: How long the command ran.
  returned: success
  type: str
  sample: "0:00:00.010000"
"""

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_exec, parse_exec, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import exec


def main() -> None:
    runner.run(args_exec.SPEC, parse=parse_exec.task, handler=lambda host, task: exec.run(host, task.wish), shape=parse_exec.executed)


if __name__ == "__main__":
    main()

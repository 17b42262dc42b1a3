# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the supervisor of a container does for it."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  log_driver:
    description:
      - Where what the container writes to its standard output and error goes.
      - V(json-file) keeps it in files below the container's directory, as lines of JSON that name the stream and the time.
      - V(journald) sends it to the journal of the host, with the fields that docker sends. The host must have one.
      - V(none) drops it.
      - Not set, it is V(json-file).
      - Change while the container runs.
    type: str
    choices: [json-file, journald, none]
  log_options:
    description:
      - Options of O(log_driver). A key may be written with C(_) in place of C(-), a value as a number or as text.
      - V(json-file) takes C(max-size), the size at which a file is put aside (powers of 1024, V(10M) if not set), and
        C(max-file), how many files there are at most (V(3) if not set).
      - V(journald) takes C(tag), which is the container's name if not set.
      - Change while the container runs.
    type: dict
    aliases: [log_opt]
  restart_policy:
    description:
      - Whether the container is started again when it has ended by itself.
      - V(no), V(always), V(unless-stopped), V(on-failure) for an exit code that is not 0, or V(on-failure:N) with
        O(restart_retries). Not set, it is V(no).
      - The first wait is 0.1 seconds, each further one twice as long up to a minute. After a run of 10 seconds it begins anew.
        Meanwhile the status is V(restarting).
      - The container keeps what it wrote, its address and its ports. What a task stops is not started again.
      - Change while the container runs.
    type: str
  restart_retries:
    description:
      - How often it is started again with O(restart_policy=on-failure), before it is left as it is.
      - Not set, or V(0), there is no end to it.
      - Change while the container runs.
    type: int
  healthcheck:
    description:
      - A command that tells whether the container works, run in it every now and then by its supervisor. Exit code 0 is healthy.
        What came of it is in C(State.Health) of RV(container), with the last five results.
      - A dictionary with the keys below, as in C(community.docker.docker_container), or the command alone, as in
        C(containers.podman.podman_container). What is not said is as the image has it.
      - V(test) is the command. A string is run by the container's C(/bin/sh), a list of words without a shell. Either may begin with C(CMD)
        or C(CMD-SHELL), which say the same. V(NONE) switches off the check of the image.
      - V(interval) is the time between two checks (V(30s) if neither the task nor the image says otherwise), V(timeout) how long one
        may take before it is killed and has failed (V(30s)), V(retries) how many failures in a row make it unhealthy (V(3)).
      - V(start_period) is a time after the start in which failures do not count (none), V(start_interval) the time between two
        checks meanwhile (V(5s)). The first success ends it.
      - V(test_cli_compatible) may be V(true), which is what is done here.
      - Durations are written as V(30s), V(1m30s), V(500ms). V(0) is as good as not said.
      - Change while the container runs. A check that changed begins as after a start.
    type: raw
    aliases: [health_cmd]
  healthcheck_interval:
    description:
      - V(interval) of O(healthcheck).
    type: str
    aliases: [health_interval]
  healthcheck_timeout:
    description:
      - V(timeout) of O(healthcheck).
    type: str
    aliases: [health_timeout]
  healthcheck_start_period:
    description:
      - V(start_period) of O(healthcheck).
    type: str
    aliases: [health_start_period]
  healthcheck_retries:
    description:
      - V(retries) of O(healthcheck).
    type: int
    aliases: [health_retries]
  no_healthcheck:
    description:
      - V(true) is another way to say O(healthcheck=NONE).
    type: bool
    default: false
"""

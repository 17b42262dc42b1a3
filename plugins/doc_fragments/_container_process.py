# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs in a container, and how it is stopped."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  command:
    description:
      - The command that the container runs. A list is taken word by word, a string is split into words as a shell would,
        but no shell runs it.
      - Where the image or O(entrypoint) names an entry point, these are its arguments.
      - Not set, the image's own command is used. An empty list is no command at all.
      - A number may be written as it is. Booleans and numbers with a fraction must be quoted.
    type: raw
  command_handling:
    description:
      - V(correct), what O(command) and O(entrypoint) say here. It is accepted for tasks written for C(community.docker.docker_container).
    type: str
    choices: [correct]
  entrypoint:
    description:
      - Replaces the image's entry point; written as O(command) is. An empty list removes it.
    type: raw
  init:
    description:
      - Whether process 1 of the container is the engine's own, which collects the processes that others leave behind.
        Nothing of it has to be in the image.
      - Without a command, given or the image's, this is the only process, and others are started in the container by
        M(cocker.engine.cocker_container_exec). This is then the default.
      - V(true), V(false), or V(systemd), for a container that is booted as a machine is. Process 1 is then the image's own systemd,
        C(/sbin/init) or what O(command) and O(entrypoint) of the task say. What the image says of them is passed over.
        It finds C(/run), C(/run/lock) and C(/tmp) empty and in memory where nothing else is mounted there, a cgroup tree of its own that
        it may divide, and the variable C(container). Its C(/etc/machine-id) follows from the container where the image's is empty.
        O(stop_signal) is C(SIGRTMIN+3) where neither the task nor the image says another one.
      - V(systemd) needs a host with cgroup version 2 alone, mounted with C(nsdelegate), as systemd mounts it. It goes neither with a
        O(user) other than root, nor with O(cgroupns_mode=host), nor with a user namespace.
    type: raw
  env:
    description:
      - Environment variables, on top of those of the image.
      - Values must be strings. Numbers and booleans must be quoted, so that they are the text that was typed.
      - The value V(null) unsets a variable that the image sets.
    type: dict
  env_file:
    description:
      - Files of the managed host with environment variables, V(NAME=VALUE) on each line. The value is what follows, as it stands.
        Empty lines and those that begin with V(#) are passed over.
      - What a later file says wins, and O(env) wins over all of them.
      - Their content is compared and kept. A file that moves makes no difference, one whose content changes does.
    type: list
    elements: path
    aliases: [env_files]
  user:
    description:
      - Who runs the command, V(USER) or V(USER:GROUP). Each is a name that the container knows, or a number.
      - Numbers must be quoted where YAML would change them, such as in V("0100").
    type: str
  groups:
    description:
      - Groups that the processes of the container are in besides those of O(user), each a name that the container knows, or a number.
    type: list
    elements: str
    aliases: [group_add]
  umask:
    description:
      - The permissions that files made by the command do not get, an octal number. Not set, it is V(0022).
    type: str
  working_dir:
    description:
      - The directory in the container that the command starts in.
    type: str
    aliases: [workdir]
  tty:
    description:
      - Whether the command has a terminal, so that programs which behave otherwise without one, shells above all, do as they do in
        front of a person. Standard error then goes the way of standard output, and lines in the log end with a carriage return, too.
    type: bool
  interactive:
    description:
      - Whether the standard input of the command is open, although nobody writes to it. A command that reads it waits, where it would
        otherwise find its end at once. A terminal (O(tty)) is always open.
    type: bool
  hostname:
    description:
      - The container's host name. Not set, it is the container's name.
    type: str
    aliases: [host]
  domainname:
    description:
      - The container's NIS domain name.
    type: str
  stop_signal:
    description:
      - The signal that asks the container to end, a name such as V(SIGQUIT) or V(QUIT), or a number.
      - Not set, it is the image's, or else V(SIGTERM).
    type: str
  stop_timeout:
    description:
      - How many seconds the container has to end after O(stop_signal), before it is killed.
      - Not set, it is 10 seconds.
    type: int
"""

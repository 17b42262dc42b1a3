#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_container
short_description: Manage containers
version_added: 0.1.0
description:
  - Makes, changes, starts, stops and removes one container.
  - An option that is not set is not managed. One that this module set earlier and that is now left out returns to its
    default. An empty list or dictionary is wanted empty.
  - A task without O(image) and O(images) manages what it says of a container that exists, and keeps the rest as it is.
  - A task that starts a container returns when the command has been executed. Where that fails, the task fails with the
    reason and what it made is removed again.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
  - cocker.engine._container_process
  - cocker.engine._container_network
  - cocker.engine._container_mounts
  - cocker.engine._container_resources
  - cocker.engine._container_security
  - cocker.engine._container_ported
  - cocker.engine._container_supervision
attributes:
  idempotent:
    support: partial
    details:
      - With O(restart=true) or O(recreate=true) it is always done.
options:
  name:
    description:
      - The name of the container.
    type: str
    required: true
  state:
    description:
      - V(started) makes the container if it does not exist, changes it to what is said, and starts it if it is not running;
        if it is paused, it is resumed.
      - V(present) does the same and leaves it as it is, running or not.
      - V(stopped) does the same and stops it if it is running. With O(auto_remove=true) it is removed then, and not made where it
        does not exist.
      - V(paused) does what V(started) does and then holds all processes of the container where they are, until it is
        V(started) again. V(present) leaves it paused.
      - V(healthy) does what V(started) does and waits until O(healthcheck), or the check of the image, says that the container is healthy.
        If it is found unhealthy, ends or takes longer than O(healthy_wait_timeout), the task fails and what it did is undone, so that
        a container that was there before runs again as it did.
      - V(created) is another word for V(present).
      - V(absent) stops the container, with O(stop_signal) and O(stop_timeout), and removes it with all it wrote outside
        its volumes. The other options are then not looked at, but must be valid.
    type: str
    choices: [absent, created, healthy, paused, present, started, stopped]
    default: started
  image:
    description:
      - The image whose root file system the container gets, as V(NAME) or V(NAME:VERSION). Without a version it is the
        largest there is when the container is made, and stays that.
      - Also V(NAME@sha256:DIGEST) and V(NAME:VERSION@sha256:DIGEST), where the version is passed over. It is an image that came from a
        registry with this digest. One that O(pull) fetches so has the version C(sha256-DIGEST), which is meant only by its digest.
    type: str
  images:
    description:
      - Several images in place of O(image), which are laid upon each other, the first at the bottom.
    type: list
    elements: str
  pull:
    description:
      - Whether to fetch the images from their registries before anything else is done. Without this option no registry is asked.
      - V(missing) and V(false) fetch an image that is not in the store, V(never) fails there.
      - V(always) and V(true) ask the registry each time. If it has another content by then, it is fetched, and the container is made anew
        from it, as with O(repin=true). V(newer) does the same, but is content with what is in the store where the registry does not answer.
      - The registry is the first part of O(image), as in V(registry.example.com/shop/web:1.5); there is none that a short name would mean.
        Without a version it is asked for C(latest), and the image is kept without one.
      - In check mode the registry is asked, too, and nothing is fetched. An image that was fetched stays if the task fails afterwards.
      - More ways to fetch an image, such as under another name, has M(cocker.engine.cocker_image).
    type: str
    choices: [always, missing, never, newer, "true", "false"]
  platform:
    description:
      - The platform of the image that O(pull) fetches, as OS/ARCHITECTURE[/VARIANT]. Without it that is the one of the host.
      - An image that is in the store is not asked for its platform.
    type: str
  registry:
    description:
      - How the registries that O(pull) asks are reached.
    type: dict
    suboptions:
      config_path:
        description:
          - A file with the credentials of registries, in the form that docker and podman share.
          - If the option is not set, M(cocker.engine.cocker_login) writes C(auth.json) in O(cocker_home). Whoever needs credentials looks
            there first, then into podman's files (C($REGISTRY_AUTH_FILE), C($XDG_RUNTIME_DIR/containers/auth.json) or
            C(/run/containers/UID/auth.json), C(~/.config/containers/auth.json)) and docker's (C($DOCKER_CONFIG/config.json) or
            C(~/.docker/config.json)). The first that knows the registry decides.
          - Programs that keep credentials (C(credsStore), C(credHelpers)) are not asked. Where only such a program knows the registry, the
            task fails and says so.
        type: path
        aliases: [dockercfg_path, authfile]
      ca_path:
        description:
          - A file with the certificates of authorities, in PEM form, that are trusted instead of those of the host.
        type: path
        aliases: [cacert_path]
      validate_certs:
        description:
          - Whether the registry has to prove by its certificate who it is. With V(false) anybody on the way can read the password.
        type: bool
        default: true
        aliases: [tlsverify]
      plain_http:
        description:
          - Whether the registry is spoken to without TLS, as is usual for one on the host itself.
        type: bool
        default: false
      registry_timeout:
        description:
          - For how many seconds a registry may be silent, or next to it, until an attempt has failed. Attempts are repeated up to five
            times, with growing pauses between them, and transfers that were cut off go on where they were.
        type: int
        default: 60
  restart:
    description:
      - Whether to restart the container if it is running already. It keeps what it wrote.
    type: bool
    default: false
    aliases: [force_restart]
  recreate:
    description:
      - Whether to drop what the container wrote outside its volumes, and to start it anew from its images.
    type: bool
    default: false
  from_image:
    description:
      - An image that becomes the container, upon O(image) or O(images), or alone where these are not set. The image is gone afterwards, and
        its content belongs to the container, also with O(recreate=true). This takes no time, whatever the size.
      - Looked at only where the container does not exist. Refused while other containers need the image.
      - To have the image back, see O(cocker.engine.cocker_image#module:mode).
    type: str
  from_container:
    description:
      - A container whose copy this one is to be, with all that it has written outside its volumes, in place of O(image) and O(images).
      - Looked at only where the container does not exist. What the task does not say is then as that container has it, but for the
        host name, the addresses and the published ports.
      - If that container does not run, both go on upon the same layers, which takes no time. Of one that runs, what it has written
        is copied while its processes stand still.
    type: str
  repin:
    description:
      - Whether to look again for what O(image) or O(images) mean. If they mean other content than the container was made of,
        a larger version or one that was made anew, it is made anew from that, as with a change of its images.
    type: bool
    default: false
  on_change:
    description:
      - V(apply) does what the wanted change needs.
      - V(live_only) fails where a running container would have to be restarted, or what it wrote would be lost.
      - V(fail) fails where anything of a container that exists would have to be changed.
    type: str
    choices: [apply, fail, live_only]
    default: apply
  comparisons:
    description:
      - How options are compared with those that the container has, a dictionary of option names. V(*) stands for all that are not named.
      - V(strict), which is used where nothing is said, wants the option exactly as it is said; one that was set before and is left out
        returns to its default.
      - V(ignore) leaves the option as the container has it.
      - V(allow_more_present) leaves what the container has besides, of lists and dictionaries such as O(env), O(labels), O(volumes) and
        O(published_ports). It is what C(community.docker.docker_container) does where nothing is said.
      - An option of a container that is made is always set.
    type: dict
  image_name_mismatch:
    description:
      - What is done where O(image) or O(images) are others than those that the container was made of, and have the same content.
      - Not set, the container keeps what it wrote and knows its images under the new names from then on. V(ignore) leaves it as it is,
        V(recreate) makes it anew.
    type: str
    choices: [ignore, recreate]
  image_label_mismatch:
    description:
      - V(fail) fails where the image has labels that O(labels) does not say. They cannot be taken away, only replaced.
      - Looked at only where O(labels) is set.
    type: str
    choices: [fail, ignore]
    default: ignore
  paused:
    description:
      - V(true) with O(state=started) is the same as O(state=paused), V(false) the same as O(state=started) alone.
    type: bool
  force_kill:
    description:
      - Whether a container that has to be stopped gets O(kill_signal) in place of its stop signal. If it has not ended
        after O(stop_timeout), it is killed in any case.
    type: bool
    default: false
    aliases: [forcekill]
  kill_signal:
    description:
      - The signal that O(force_kill) sends, as a name or a number. Without it that is C(SIGKILL).
    type: str
  healthy_wait_timeout:
    description:
      - How many seconds O(state=healthy) waits. With V(0) it waits as long as it takes.
    type: float
    default: 300
  detach:
    description:
      - With V(false) the task stays with the container that it starts until that has ended, and returns its exit code and what it wrote.
        A code that is not 0 fails the task. A container that runs already is not waited for.
      - Goes with O(state=started).
    type: bool
    default: true
  cleanup:
    description:
      - Whether to remove the container when it has ended, with O(detach=false), whatever its exit code. O(keep_volumes) says what becomes
        of its anonymous volumes.
    type: bool
    default: false
  output_logs:
    description:
      - Whether what the container wrote goes to the log of the managed host as well, where modules log what they are called with. Goes with
        O(detach=false).
    type: bool
    default: false
  auto_remove:
    description:
      - Whether the container is removed as soon as it has ended, with its anonymous volumes, by itself or because a task with
        O(state=stopped) or C(cocker stop) stops it. A restart does not remove it.
      - With O(detach=false) it is removed when the task has heard how it ended.
      - Does not go with a O(restart_policy).
      - Change while the container runs.
    type: bool
    aliases: [remove, rm]
  labels:
    description:
      - Labels of the container, on top of those of the image. Numbers and booleans become text.
      - Change while the container runs.
    type: dict
    aliases: [label]
notes:
  - A change of labels, of limits, of O(published_ports), O(log_driver), O(log_options), O(restart_policy), O(healthcheck),
    O(stop_signal) and O(stop_timeout) is applied to the running
    container. A change of its images drops what it wrote outside its volumes, but not where they have the same content under
    another name. Any other change restarts it, and it keeps
    what it wrote. RV(plan) tells which it is, in check mode too.
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_container_info
  - module: cocker.engine.cocker_container_exec
  - module: cocker.engine.cocker_image
  - module: cocker.engine.cocker_network
  - module: cocker.engine.cocker_volume
"""

EXAMPLES = r"""
- name: A web server with an address, a published port, a volume and limits
  cocker.engine.cocker_container:
    name: web
    image: debian:12
    command: [python3, -m, http.server, "8080", --directory, /data]
    networks:
      - name: web0
        ipv4_address: 10.66.1.10
    published_ports: ["18080:8080"]
    volumes: ["webdata:/data"]
    memory: 64M
    cpus: 0.5
    pids_limit: 50
    env:
      STAGE: production
  register: web

- name: Where it is reached
  ansible.builtin.debug:
    msg: "{{ web.container.NetworkSettings.Networks.web0.IPAddress }} runs {{ web.container.State.Status }}"

- name: Less memory for the running container; nothing else of it changes
  cocker.engine.cocker_container:
    name: web
    memory: 48M
    on_change: live_only

- name: Restart it, as a handler would
  cocker.engine.cocker_container:
    name: web
    restart: true

- name: Add a variable and a label, whatever else the container has of them, and do not care for its image
  cocker.engine.cocker_container:
    name: web
    image: debian:12
    command: [python3, -m, http.server, "8080", --directory, /data]
    env:
      MODE: fast
    labels:
      owner: web-team
    comparisons:
      "*": ignore
      env: allow_more_present
      labels: allow_more_present

- name: Ask the running container every ten seconds whether it works
  cocker.engine.cocker_container:
    name: web
    healthcheck:
      test: wget -q -O /dev/null http://localhost:8080/
      interval: 10s
      timeout: 2s
      retries: 3

- name: Go over to the next version, and back to this one if it does not get healthy within a minute
  cocker.engine.cocker_container:
    name: web
    image: application:1.5
    state: healthy
    healthy_wait_timeout: 60
    healthcheck:
      test: [wget, -q, -O, /dev/null, "http://localhost:8080/"]
      interval: 10s
      start_period: 30s
      start_interval: 1s

- name: A web server whose configuration is the play's, and which reads it again when it changes
  cocker.engine.cocker_container:
    name: proxy
    image: nginx
    mounts:
      - type: content
        target: /etc/nginx/conf.d/default.conf
        content: |
          server {
            listen 80;
            root /srv;
          }
        on_change: reload
      - type: content
        target: /etc/nginx/secret
        content: "{{ secret }}"
        mode: "0400"            # another one restarts the container

- name: Hold its processes for the time of a backup; a task with state started lets them go on
  cocker.engine.cocker_container:
    name: web
    state: paused

- name: Run a job, wait for its end and leave nothing of it
  cocker.engine.cocker_container:
    name: migration
    image: application:1.5
    command: [application, migrate]
    detach: false
    cleanup: true
  register: migration

- name: What it said
  ansible.builtin.debug:
    msg: "{{ migration.stdout_lines }}"

- name: A job that nobody waits for
  cocker.engine.cocker_container:
    name: report
    image: application:1.5
    command: [application, report]
    auto_remove: true

- name: Whatever the registry calls stable now
  cocker.engine.cocker_container:
    name: shop
    image: registry.example.com/shop/web:stable
    pull: always

- name: The largest version that there is now
  cocker.engine.cocker_container:
    name: web
    image: application
    repin: true

- name: A copy of a container, with all that was done in it
  cocker.engine.cocker_container:
    name: web2
    from_container: web
    published_ports: ["18081:8080"]

- name: An image becomes a container
  cocker.engine.cocker_container:
    name: toolbox
    image: debian:12
    from_image: toolbox

- name: Several images upon each other, and services that are started later
  cocker.engine.cocker_container:
    name: node1
    images: [debian:12, python, application:1.4]
    init: true
    ipv4_address: 10.166.88.20
    sysctls:
      net.core.somaxconn: 1024

- name: A container that is booted as a machine is, with services of its own
  cocker.engine.cocker_container:
    name: machine1
    image: debian-systemd:12
    init: systemd
    state: healthy
    healthcheck:
      test: [CMD, systemctl, is-system-running, --wait]
      start_period: 60s
      timeout: 60s

- name: A container with as few rights as possible
  cocker.engine.cocker_container:
    name: worker
    image: worker
    command: /usr/bin/worker --queue jobs
    user: "1000:1000"
    network_mode: none
    read_only: true
    tmpfs: ["/tmp:size=16M,mode=1777"]
    cap_drop: [all]
    security_opts: [no-new-privileges]
    ulimits: ["nofile:256", "core:0"]

- name: A container whose root is nobody on the host
  cocker.engine.cocker_container:
    name: guest
    image: debian:12
    init: true
    userns_mode: auto
    volumes: ["guest-home:/home"]

- name: A tool that works on the host's own network and a device of it
  cocker.engine.cocker_container:
    name: tunnel
    image: tunnel
    network_mode: host
    capabilities: [NET_ADMIN]
    devices: ["/dev/net/tun:/dev/net/tun:rw"]

- name: Stop it, but give it a minute to end
  cocker.engine.cocker_container:
    name: web
    state: stopped
    stop_timeout: 60

- name: Stop it at once
  cocker.engine.cocker_container:
    name: web
    state: stopped
    force_kill: true

- name: Remove it; its volume stays
  cocker.engine.cocker_container:
    name: web
    state: absent
"""

RETURN = r"""
container:
  description:
    - The container, as C(docker inspect) shows it.
    - V(null) where it does not exist.
    - In check mode this is the container as it is.
  returned: success
  type: dict
  sample:
    Config:
      Cmd: [python3, -m, http.server, "8080"]
      Env: ["STAGE=production"]
      Hostname: web
      Image: debian:12
      Labels: {}
    Id: 3f1c5f3d6b9c4a44
    Mounts: [{Destination: /data, Name: webdata, RW: true, Source: /var/cocker/volumes/webdata/_data, Type: volume}]
    Name: /web
    NetworkSettings:
      IPAddress: 10.66.1.10
      Networks: {web0: {Gateway: 10.66.1.1, IPAddress: 10.66.1.10, IPPrefixLen: 24}}
      Ports: {8080/tcp: [{HostIp: 0.0.0.0, HostPort: "18080"}]}
      SandboxKey: /run/netns/nnsA7937B64B8
    State: {ExitCode: 0, OOMKilled: false, Pid: 4711, Running: true, Status: running}
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
      sample: start
    name:
      description: To what.
      returned: always
      type: str
      sample: web
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: restart
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["env changed (restart)"]
rc:
  description: The exit code of the container; 128 and the number of the signal for one that was killed.
  returned: with O(detach=false), where it was started
  type: int
  sample: 0
status:
  description: The same as RV(rc), as C(community.docker.docker_container) calls it. RV(container) then has what it wrote in C(Output).
  returned: with O(detach=false), where it was started
  type: int
  sample: 0
stdout:
  description: What the container wrote to its standard output, as far as O(log_driver) keeps it in files.
  returned: with O(detach=false), where it was started
  type: str
stderr:
  description: What it wrote to its standard error.
  returned: with O(detach=false), where it was started
  type: str
rolled_back:
  description: Of a task that failed, that what it had done before is undone, and a container that was there runs again as it did.
  returned: on failure, where something had been done
  type: bool
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import containers


def main() -> None:
    runner.run(args_container.SPEC, parse=parse_container.wish, handler=containers.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

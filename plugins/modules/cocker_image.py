#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cocker_image
short_description: Manage the images of a host
version_added: 0.1.0
description:
  - Brings images into the store of the host, from an archive, a directory, a registry, the host's own programs or another image,
    gives them other versions, says how they are run, and removes them.
  - An image is made again when its source has another content than the image came from.
extends_documentation_fragment:
  - cocker.engine._attributes
  - cocker.engine._common
  - cocker.engine._registry
  - cocker.engine._repository
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true) the image is always made anew.
options:
  name:
    description:
      - The name of the image, such as V(debian), V(registry.example/library/debian) or V(calvin=rhel-7.4-x86_64), which may be
        followed by a version as in V(debian:12).
      - Needed, except for a C(.cockerimage) at O(path), which is called C(NAME[:VERSION].cockerimage).
    type: str
    aliases: [image]
  version:
    description:
      - The version of the image, if it is not in O(name).
      - A container that names an image without a version gets the largest that there is.
    type: str
    aliases: [tag]
  state:
    description:
      - V(present) makes the image from O(source) if it does not exist, or if it came from another content. Without
        O(source) it fails if the image does not exist.
      - V(absent) removes the image. This is refused while a container needs it. The other options are then not looked at.
    type: str
    choices: [absent, present]
    default: present
  source:
    description:
      - V(archive) is a file at O(path) that holds a root file system or images, see O(format). It may be compressed by gzip,
        bzip2, xz or zstd.
      - V(directory) is a root file system below O(path) on the host. It is copied.
      - V(host) is a small root that is made of programs of the host and the libraries they need. It is meant for tests.
      - V(container) is what O(from_container) holds, see O(mode).
      - V(image) is the image O(from_image) under another name or version. Both share their layers, so it takes no time and
        no space, whatever the size.
      - V(registry) is a registry that speaks the OCI distribution protocol. Layers that the store has are not fetched again, and every
        digest is verified on the way.
      - V(repository) is an ssh repository, O(repository), that M(cocker.engine.cocker_repository) pushes to. Layers that the store has are
        not fetched again, and every digest is verified on the way. A C(.cockerimage) in it is fetched as a whole.
    type: str
    choices: [archive, container, directory, host, image, registry, repository]
  from_image:
    description:
      - With O(source=image), the image that is copied. Without a version it is the largest there is.
    type: str
  from_container:
    description:
      - With O(source=container), the container that becomes an image. Its volumes are no part of it.
    type: str
  mode:
    description:
      - V(commit) keeps the container. One that does not run gives what it has written to the image, and goes on with an empty
        layer above it. This takes no time, whatever the size. Of one that runs it is copied while its processes stand still, which takes
        as long as the copy.
      - V(move) makes the image of a container that does not run, and removes the container. This takes no time either. An image that
        exists is replaced with O(force=true) only. Without a version, the image gets the one that it had before it became the
        container, see O(cocker.engine.cocker_container#module:from_image).
    type: str
    choices: [commit, move]
    default: commit
  layers:
    description:
      - V(chain) is an image that stands alone, with all layers that the container has.
      - V(top) has only what was added to the container's images, to be stacked upon other ones.
    type: str
    choices: [chain, top]
    default: chain
  new_version:
    description:
      - The version that the image has afterwards; V(_) or the empty text is none.
      - The image is renamed if it has the version of O(name) or O(version), and nothing is done if it has the new one already. If
        both exist, this is refused without O(force=true).
      - Containers that were made of the image keep running on its layers, and the image can not be removed while they exist. They
        keep the name that it had; to name it by the new one in their tasks changes nothing of them.
    type: str
  config:
    description:
      - How the image is run, where it is not as O(source) has it. What is not set is inherited from there, also where an earlier
        task said something else.
      - Changes of this alone do not bring the content again. Containers that exist keep what they were made with.
    type: dict
    suboptions:
      cmd:
        description: The command, as a list of words, or as one string that is split as a shell would.
        type: raw
        aliases: [command]
      entrypoint:
        description: What the command is given to. With it, the source's command is not inherited.
        type: raw
      env:
        description: Variables in addition to those of the source. V(null) takes one away.
        type: dict
      user:
        description: As which user it runs, as C(USER) or C(USER:GROUP).
        type: str
      working_dir:
        description: Where it starts.
        type: str
        aliases: [workdir]
      labels:
        description: Labels in addition to those of the source. V(null) takes one away.
        type: dict
      exposed_ports:
        description: The ports that it listens on, such as V(80/tcp), in place of those of the source.
        type: list
        elements: str
        aliases: [expose]
      volumes:
        description: Directories whose content should outlive a container, in place of those of the source.
        type: list
        elements: str
      stop_signal:
        description: The signal that ends it.
        type: str
      healthcheck:
        description: How to find out whether it works.
        type: dict
        suboptions:
          test:
            description: A command as a list of words, or a string for the image's shell; V(NONE) for no check.
            type: raw
            required: true
          interval:
            description: The time between two checks, such as V(30s) or V(1m30s).
            type: str
          timeout:
            description: How long a check may take.
            type: str
          start_period:
            description: How long a failed check does not count after the start.
            type: str
          retries:
            description: How many failures in a row make it unhealthy.
            type: int
      author:
        description: Who made it. This stays as it is where it is not set.
        type: str
  path:
    description:
      - Where the archive or the directory is.
    type: path
  format:
    description:
      - What the archive at O(path) is.
      - V(rootfs) is the tree of a root file system.
      - V(cockerimage) is such a tree with what it hides of images that it is stacked on.
      - V(docker-archive) is what C(docker save) writes. V(oci-archive) is an OCI layout, in an archive or in a directory.
        The config, the history and the layers of the image are taken over; layers that the store has already are not unpacked again.
      - V(auto) looks into the archive.
    type: str
    choices: [auto, rootfs, cockerimage, docker-archive, oci-archive]
    default: auto
  archive_image:
    description:
      - Which image is meant, where the archive holds several. One of its names, as V(app:1.0), or its digest.
    type: str
  platform:
    description:
      - For what the image shall be, as C(OS/ARCHITECTURE[/VARIANT]), where the archive or the registry has it for several platforms.
        That of the host if it is not set.
      - A single image in a registry has to be for it, if it is set.
    type: str
  unpacked_limit:
    description:
      - How large the content of the archive or of the image in the registry may become, such as V(20G), or V(unlimited). It guards
        against what is made to fill up the disk. V(256G) if it is not set.
    type: str
  remote_src:
    description:
      - Whether O(path) is on the managed host. If V(false), the archive is on the controller, and is sent to the host if
        it is needed there.
    type: bool
    default: true
  archive_digest:
    description:
      - The SHA-256 of the archive, in hexadecimal.
      - Set by the part of this module that runs on the controller, where O(remote_src=false). Of no use in a playbook.
    type: str
  programs:
    description:
      - With O(source=host), the programs that the image holds, by name or path, instead of a small set that is always the same.
    type: list
    elements: str
  reference:
    description:
      - With O(source=registry), where the image is, as C(HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]). The tag is C(latest) if there is none.
      - If the option is not set, it is O(name) with O(version), which then has to begin with a registry.
      - With O(source=repository), what the image is called there, as C(NAME[:VERSION]). Without a version it is the largest there is. If
        the option is not set, it is O(name) with O(version).
    type: str
  pull:
    description:
      - With O(source=registry) and O(source=repository), when the registry or the repository is asked.
      - V(missing) asks if the store has no image of this name and version.
      - V(always) asks each time for the digest, and fetches the image if it is another one than that of the store.
      - V(newer) does the same, but is content with the image of the store if the registry does not answer.
      - V(never) fails if the store does not have the image.
    type: str
    choices: [always, missing, never, newer]
    default: missing
  force:
    description:
      - Whether to make the image from O(source) even if it exists.
      - With O(new_version), whether to replace an image that has that version. This is refused while a container needs it.
    type: bool
    default: false
author:
  - The cocker.engine contributors (!UNKNOWN)
seealso:
  - module: cocker.engine.cocker_image_info
  - module: cocker.engine.cocker_repository
  - module: cocker.engine.cocker_container
"""

EXAMPLES = r"""
- name: An image from an archive on the host
  cocker.engine.cocker_image:
    name: debian
    version: "12"
    source: archive
    path: /srv/debian-12.tar.zst

- name: An image from an archive on the controller, sent once
  cocker.engine.cocker_image:
    name: debian:12
    source: archive
    path: files/debian-12.tar.xz
    remote_src: false

- name: An image that docker saved
  cocker.engine.cocker_image:
    name: app:1.0
    source: archive
    path: /srv/app.tar

- name: One of several images in an OCI layout, for a certain platform
  cocker.engine.cocker_image:
    name: app:1.0
    source: archive
    path: /srv/images.oci.tar
    archive_image: app:1.0
    platform: linux/arm64

- name: An image that another host exported, with the name and version that its file is called by
  cocker.engine.cocker_image:
    source: archive
    path: files/debian:12.cockerimage
    remote_src: false

- name: An image from a root that debootstrap made
  cocker.engine.cocker_image:
    name: debian:trixie
    source: directory
    path: /srv/trixie

- name: A test image that needs nothing but the host
  cocker.engine.cocker_image:
    name: test
    version: 1.0.0
    source: host
    programs: [sh, ls, cat, python3]

- name: Say how it is run
  cocker.engine.cocker_image:
    name: debian:12
    config:
      cmd: [/bin/bash, -l]
      env:
        LANG: C.UTF-8
      labels:
        maintainer: operations

- name: The same image under another version, in no time
  cocker.engine.cocker_image:
    name: debian:stable
    source: image
    from_image: debian:12

- name: Another version for the image itself
  cocker.engine.cocker_image:
    name: debian:trixie
    new_version: "13"

- name: An image from a registry, if the store does not have it
  cocker.engine.cocker_image:
    name: registry.example/library/debian:12
    source: registry

- name: An image that follows its tag in a registry, under a name of its own
  cocker.engine.cocker_image:
    name: web:stable
    source: registry
    reference: registry.example:5000/team/web:stable
    pull: always
    ca_path: /etc/ssl/company.pem

- name: Exactly this content, for another architecture
  cocker.engine.cocker_image:
    name: web:arm
    source: registry
    reference: registry.example/team/web@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    platform: linux/arm64

- name: An image that another host pushed to the ssh repository which this host remembers
  cocker.engine.cocker_image:
    name: application:1.1
    source: repository

- name: The largest version in a certain repository, whose host key is known
  cocker.engine.cocker_image:
    name: application:stable
    source: repository
    reference: application
    pull: always
    repository: images@store.example
    repository_identity: /etc/cocker/id_ed25519
    repository_host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS

- name: What a container holds becomes an image; both are kept
  cocker.engine.cocker_image:
    name: application:1.1
    source: container
    from_container: build
    config:
      cmd: [/usr/bin/application]

- name: The container itself becomes an image that is stacked upon others
  cocker.engine.cocker_image:
    name: toolbox
    source: container
    from_container: toolbox
    mode: move
    layers: top

- name: Fail early if an image is missing
  cocker.engine.cocker_image:
    name: debian:12

- name: Remove an image
  cocker.engine.cocker_image:
    name: test:1.0.0
    state: absent
"""

RETURN = r"""
image:
  description:
    - The image, as C(docker image inspect) shows it.
    - V(null) where it does not exist.
  returned: success
  type: dict
  sample:
    Author: ""
    Config: {Cmd: null, Entrypoint: null, Env: null}
    Created: "2026-01-12T08:30:00Z"
    Os: linux
    RepoTags: ["debian:12"]
    Size: 195035136
digest:
  description:
    - With O(source=registry), the digest of what the tag names in the registry. Of several platforms it is that of the list.
  returned: when O(source=registry) and the image came, or would come, from a registry
  type: str
  sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
layers_fetched:
  description: How many layers the store did not have.
  returned: when an image was fetched from a registry or a repository
  type: int
  sample: 2
bytes_fetched:
  description: The size of what was fetched, as it is in the registry or the repository.
  returned: when an image was fetched from a registry or a repository
  type: int
  sample: 31457280
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
      sample: import
    name:
      description: To what.
      returned: always
      type: str
      sample: "debian:12"
plan:
  description: The same in one word, and why.
  returned: success
  type: dict
  contains:
    action:
      description: V(none) where nothing is to be done.
      returned: always
      type: str
      sample: import
    reasons:
      description: One sentence for each reason.
      returned: always
      type: list
      elements: str
      sample: ["the image is not in the store"]
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

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image, parse_image, results, runner
from ansible_collections.cocker.engine.plugins.module_utils.engine import images


def main() -> None:
    runner.run(args_image.SPEC, parse=parse_image.wish, handler=images.ensure, shape=results.ensured)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container has mounted besides its root."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  volumes:
    description:
      - What is mounted in the container, each as V(SOURCE:TARGET) or V(SOURCE:TARGET:OPTIONS), or V(TARGET) alone.
      - A source that begins with C(/) is a path of the host, which must exist. Any other is the name of a volume, which
        is made if it does not exist. The first container that uses a volume puts into it what its image has at the target.
      - V(TARGET) alone is an anonymous volume, named after the container and the target. The volumes that an image declares are
        such volumes, too, where nothing else is mounted there.
      - The options, separated by commas, are V(ro) or V(rw) (the default), V(rbind) (the default) or V(bind), V(nocopy) and a propagation,
        one of V(private), V(rprivate) (the default), V(shared), V(rshared), V(slave), V(rslave); V(noexec), V(nosuid) and V(nodev)
        hold for what is mounted there; V(idmap) goes with O(userns_mode) and O(uidmap). V(z) and V(Z) are accepted and change
        nothing, as the engine sets no SELinux labels.
    type: list
    elements: str
    aliases: [volume]
  mounts:
    description:
      - What is mounted in the container, in the long form. It goes together with O(volumes) and O(tmpfs).
      - An entry may also be one string such as V(type=bind,src=/srv,dst=/data,ro=true), with the names of the suboptions.
    type: list
    elements: dict
    aliases: [mount]
    suboptions:
      target:
        description:
          - Where it is in the container.
        type: str
        required: true
        aliases: [destination, dst]
      source:
        description:
          - A path of the host for type V(bind), the name of a volume for type V(volume). A volume without a name is anonymous.
        type: str
        aliases: [src]
      type:
        description:
          - What is mounted. Left out, it is a volume. V(content) is a file whose content is that of O(mounts[].content).
        type: str
        choices: [bind, content, tmpfs, volume]
      read_only:
        description:
          - Whether nothing can be written there, below it neither. Left out, it is so for type V(content) only.
        type: bool
        aliases: [readonly, ro]
      propagation:
        description:
          - For type V(bind), one of V(private), V(rprivate) (the default), V(shared), V(rshared), V(slave), V(rslave).
        type: str
      non_recursive:
        description:
          - For type V(bind), leaves out what is mounted below the source.
        type: bool
      create_mountpoint:
        description:
          - For type V(bind), makes the source as a directory if it does not exist.
        type: bool
      no_copy:
        description:
          - For type V(volume), leaves a new volume empty, whatever the image has at the target.
        type: bool
      subpath:
        description:
          - For type V(volume), what of the volume is mounted, a directory or a file that is there already, as a path relative to its top.
          - Links in the volume are followed within the volume, an absolute one from its top; none leads out.
          - A volume that is mounted so gets nothing of the image.
        type: str
        aliases: [volume_subpath]
      labels:
        description:
          - For type V(volume), the labels of a volume that is made for this mount.
        type: dict
      tmpfs_size:
        description:
          - For type V(tmpfs), how much fits, such as V(64M), or a part of the host's memory, such as V(25%). Left out, half of it.
        type: str
      tmpfs_mode:
        description:
          - For type V(tmpfs), the mode of its top as an octal string, such as V("1777").
        type: str
      tmpfs_options:
        description:
          - For type V(tmpfs), further options, each a word such as V(noexec) or V(uid=1000), or a dictionary of one word and its value.
          - They are V(exec), V(noexec), V(suid), V(nosuid), V(dev), V(nodev), V(uid), V(gid) and V(nr_inodes).
        type: list
        elements: raw
      content:
        description:
          - For type V(content), what is in the file, up to one MiB of text. It is the task's alone; what a container writes into it, where
            O(mounts[].read_only) is V(false), goes with the next start or another content.
        type: str
      mode:
        description:
          - For type V(content), the mode of the file as an octal string. Left out, it is V("0444").
        type: str
      uid:
        description:
          - For type V(content), the number of the file's owner. Left out, it is V(0).
        type: int
      gid:
        description:
          - For type V(content), the number of the file's group. Left out, it is V(0).
        type: int
      on_change:
        description:
          - For type V(content), what a container that runs gets when the content, the mode or the owner is another one. The file itself
            changes in any case, under the processes that have it open.
          - V(restart), what it is where nothing is said, restarts the container. V(reload) sends its first process the O(mounts[].signal).
            V(none) leaves it to the container to notice.
        type: str
        choices: [none, reload, restart]
      signal:
        description:
          - For O(mounts[].on_change=reload), the signal, by its name or number. Left out, it is V(SIGHUP).
        type: str
  volumes_from:
    description:
      - Containers whose volumes and host paths are mounted here, too, at the same places, each as V(CONTAINER) or V(CONTAINER:ro).
        What this task mounts itself at a place wins.
    type: list
    elements: str
  keep_volumes:
    description:
      - With V(false), O(state=absent) removes the anonymous volumes of the container with it. Named volumes are never removed so.
    type: bool
    default: true
  tmpfs:
    description:
      - File systems in memory, a list of V(TARGET) or V(TARGET:OPTIONS), or a dictionary of targets and their options.
      - The options, separated by commas, are V(size=64M) or V(size=25%), V(mode=1777), V(uid=1000), V(gid=1000), V(nr_inodes=1000),
        V(ro), V(rw), V(exec) (the default), V(noexec), V(suid), V(nosuid) (the default), V(dev) and V(nodev) (the default).
    type: raw
"""

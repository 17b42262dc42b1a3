# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container has mounted besides its root."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  volumes:
    description:
      - What is mounted in the container, each as V(SOURCE:TARGET) or V(SOURCE:TARGET:OPTIONS).
      - A source that begins with C(/) is a path of the host, which must exist. Any other is the name of a volume, which
        is made if it does not exist, and is empty then. What the image has at the target is not copied into it.
      - The options, separated by commas, are V(ro) or V(rw) (the default) and a propagation, one of V(private),
        V(rprivate) (the default), V(shared), V(rshared), V(slave), V(rslave). V(z) and V(Z) are accepted and change
        nothing, as the engine sets no SELinux labels.
      - Volumes are never removed together with a container.
    type: list
    elements: str
    aliases: [volume]
  tmpfs:
    description:
      - File systems in memory, each as V(TARGET) or V(TARGET:OPTIONS).
      - The options, separated by commas, are V(size=64M), V(mode=1777) and V(ro).
    type: list
    elements: str
"""

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that every module has."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cocker_home:
    description:
      - The directory on the host that holds all images, containers, volumes and networks of this engine.
      - Engines with different directories know nothing of each other.
      - If the option is not set, the environment variable E(COCKER_HOME) of the host is used, if there is one.
    type: path
    default: /var/cocker
requirements:
  - Linux with Python 3.9 or newer on the managed host, where the module runs as root
notes:
  - Nothing has to be installed on the managed host to hold images and volumes. What networks and containers need beyond
    the kernel is listed by M(cocker.engine.cocker_host_info) and brought by the role P(cocker.engine.host#role).
"""

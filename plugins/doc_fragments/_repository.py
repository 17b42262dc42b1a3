# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How ssh repositories of images are reached."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  repository:
    description:
      - The ssh repository, as C([USER@]HOST[:PORT][/PATH]), also with C(ssh://) in front. The path is absolute, or as C(/~/PATH) below the
        directory that the user is in after logging in, which is the repository if there is no path.
      - The server needs OpenSSH with its sftp subsystem and nothing else, see the role P(cocker.engine.repository#role). The managed host
        needs the program C(ssh).
      - If the option is not set, it is the repository that the host remembers, see M(cocker.engine.cocker_repository), or the one in the
        file C(srepo) of O(cocker_home), where cocker kept it.
    type: str
    aliases: [srepo]
  repository_identity:
    description:
      - A file on the managed host with the private key to log in with. It is used without asking, so it has no passphrase.
      - If the option is not set, it is what ssh takes for the user root.
    type: path
  repository_known_hosts:
    description:
      - A file on the managed host that knows the server's host key. Others are not looked at.
      - If neither this nor O(repository_host_key) is set, the files are those of ssh. A host key that is not known is never accepted.
    type: path
  repository_host_key:
    description:
      - The public host key of the server, as it is in its C(/etc/ssh/ssh_host_ed25519_key.pub). Only a server that has it is trusted.
    type: str
  repository_timeout:
    description:
      - For how many seconds the server may be silent until the task fails.
    type: int
    default: 60
"""

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How registries are reached."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
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
"""

# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tasks that were written for other engines say about a daemon or a program."""
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [docker_url]
  tls_hostname:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  api_version:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [docker_api_version]
  timeout:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [time_out]
  ca_path:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [ca_cert, cacert_path, tls_ca_cert]
  client_cert:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [cert_path, tls_client_cert]
  client_key:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [key_path, tls_client_key]
  tls:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  validate_certs:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
    aliases: [tls_verify]
  use_ssh_client:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  debug:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  executable:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  cmd_args:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  runtime:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  networks_cli_compatible:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  container_default_behavior:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  image_comparison:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
  removal_wait_timeout:
    description:
      - Accepted with a warning and passed over, so that tasks written for other collections run.
    type: raw
"""

# SPDX-License-Identifier: BSD-2-Clause
"""How registries are reached, the same for every module that asks one; and the options of cocker_login and cocker_image_push."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options, Spec

ACCESS: Options = {
    "config_path": {"type": "path", "aliases": ["dockercfg_path", "authfile"]},
    "ca_path": {"type": "path", "aliases": ["cacert_path"]},
    "validate_certs": {"type": "bool", "default": True, "aliases": ["tlsverify"]},
    "plain_http": {"type": "bool", "default": False},
    "registry_timeout": {"type": "int", "default": 60},
}

LOGIN = Spec({
    "registry": {"type": "str", "required": True, "aliases": ["registry_url", "url"]},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "verify": {"type": "bool", "default": True},
    "reauthorize": {"type": "bool", "default": False, "aliases": ["reauth"]},
    **ACCESS,
})

PUSH = Spec({
    "name": {"type": "str", "required": True, "aliases": ["image"]},
    "version": {"type": "str", "aliases": ["tag"]},
    "reference": {"type": "str"},
    "format": {"type": "str", "choices": ["docker", "oci"], "default": "oci"},
    **ACCESS,
})

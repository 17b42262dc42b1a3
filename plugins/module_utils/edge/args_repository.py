# SPDX-License-Identifier: BSD-2-Clause
"""How ssh repositories of images are reached, the same for every module that asks one; and the options of cocker_repository."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options, Spec

REACH: Options = {
    "repository": {"type": "str", "aliases": ["srepo"]},
    "repository_identity": {"type": "path"},
    "repository_known_hosts": {"type": "path"},
    "repository_host_key": {"type": "str", "no_log": False},
    "repository_timeout": {"type": "int", "default": 60},
}

REPOSITORY = Spec({
    "name": {"type": "str", "aliases": ["image"]},
    "version": {"type": "str", "aliases": ["tag"]},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "reference": {"type": "str"},
    "force": {"type": "bool", "default": False},
    "remember": {"type": "bool", "default": False},
    **REACH,
})

INFO = Spec({
    "name": {"type": "str", "aliases": ["image"]},
    "match": {"type": "str"},
    **REACH,
}, rules={"mutually_exclusive": [("name", "match")]}, reads_only=True)

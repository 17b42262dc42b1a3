# SPDX-License-Identifier: BSD-2-Clause
"""A registry as a task means it: with its TLS settings, and the credentials that the host has for it.

Not here: what is asked of it (login.py, image_registry.py, image_push.py).
"""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Remote
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Access
from ansible_collections.cocker.engine.plugins.module_utils.registry import authfile
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import Client
from ansible_collections.cocker.engine.plugins.module_utils.registry.credentials import Credentials
from ansible_collections.cocker.engine.plugins.module_utils.registry.transport import Transport


@contextlib.contextmanager
def opened(host: Host, remote: Remote, access: Access) -> t.Iterator[Client]:
    """With the credentials of the host, if it has any for this repository. Nothing is sent yet. Raises Invalid, Damaged, Unsupported."""
    paths = [access.auth_path] if access.auth_path else authfile.places(host.layout.credentials, os.environ)
    with connected(remote, access, authfile.find(paths, remote.host, remote.repository)) as client:
        yield client


@contextlib.contextmanager
def connected(remote: Remote, access: Access, credentials: t.Optional[Credentials]) -> t.Iterator[Client]:
    transport = Transport(ca_path=access.ca_path, validate_certs=access.validate_certs, timeout=float(access.timeout))
    try:
        yield Client(remote, transport, credentials=credentials, scheme="http" if access.plain_http else "https")
    finally:
        transport.close()

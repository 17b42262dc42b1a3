# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what a container's supervisor is told, from its record."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect
from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver, restarts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, health_check

# A change of these the supervisor is to hear of.
OPTIONS = frozenset(("healthcheck", "log_driver", "log_options", "restart_policy", "restart_retries", "stop_signal", "stop_timeout"))


def settings(record: ContainerRecord) -> t.Dict[str, t.Any]:
    """Fields of RuntimeWish."""
    options = record.spec.log_options or {}
    driver = record.spec.log_driver or logdriver.JSON_FILE
    size = int(options.get(logdriver.MAX_SIZE, logdriver.DEFAULT_SIZE))
    return {
        "restart": str(restarts.Policy(record.spec.restart_policy or restarts.NO, record.spec.restart_retries or 0)),
        "health": health_check(record),
        "log_driver": driver,
        "log_max_size": size if size > 0 else logdriver.UNLIMITED_SIZE,
        "log_max_file": int(options.get(logdriver.MAX_FILE, logdriver.DEFAULT_FILES)),
        "log_fields": _fields(record, options.get(logdriver.TAG, "")) if driver == logdriver.JOURNALD else {},
    }


def _fields(record: ContainerRecord, tag: str) -> t.Dict[str, str]:
    """Those of docker, so that filters written for it find them."""
    return {
        "CONTAINER_ID": record.id[:12], "CONTAINER_ID_FULL": record.id, "CONTAINER_NAME": record.spec.name,
        "CONTAINER_TAG": tag or record.spec.name, "IMAGE_NAME": inspect.image_name(record), "SYSLOG_IDENTIFIER": tag or record.spec.name,
    }

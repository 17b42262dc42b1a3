# SPDX-License-Identifier: BSD-2-Clause
"""The collection's version, for what runs without the collection's metadata; a test holds it to galaxy.yml."""
from __future__ import annotations

VERSION = "0.1.0"

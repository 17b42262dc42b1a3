# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sends cocker_repository to a host that does not have it yet, and its parameters to one that does."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.plugin_utils import quick


class ActionModule(quick.Action):
    MODULE = "cocker.engine.cocker_repository"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages given, only where one is missing. On other systems: says what must be there.
set -eu

if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system: install the counterparts of: $*" >&2
    exit 0
fi

missing=()
for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "apt-get update failed; going on with the lists that are there" >&2
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    apt-get install -y --no-install-recommends "${missing[@]}"

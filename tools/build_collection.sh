#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the collection and installs it, as a user would; does nothing when no file changed since.
# usage: build_collection.sh ANSIBLE_GALAXY TARGET_DIRECTORY
set -eu

galaxy=$1 target=$2
stamp=$target/.digest
parts=()
for part in galaxy.yml README.md COPYING LICENSES meta plugins roles playbooks docs changelogs; do
    [ -e "$part" ] && parts+=("$part")
done

digest=$(find "${parts[@]}" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" != "$digest" ] || exit 0

dist=$(dirname "$target")/dist
rm -rf "$dist" "$target"
mkdir -p "$dist" "$target"
"$galaxy" collection build --output-path "$dist" . >/dev/null
"$galaxy" collection install --offline --force -p "$target" "$dist"/cocker-engine-*.tar.gz >/dev/null
echo "$digest" >"$stamp"
echo "installed cocker.engine below $target"

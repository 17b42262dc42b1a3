#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# community.docker, to compare with, from the package `ansible` of the Python package index, without installing that.
# usage: docker_collections.sh PYTHON DIRECTORY. Where it cannot be had nothing is compared.
set -eu

python=$1 target=$(realpath -m "$2")
[ ! -d "$target/ansible_collections" ] || exit 0
rm -rf "$target.new"
mkdir -p "$target.new"
trap 'rm -rf "$target.new"' EXIT
"$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$target.new" 'ansible==12.*' >"$target.new/log" 2>&1 \
    || { echo "community.docker cannot be downloaded: $(tail -n 1 "$target.new/log")" >&2; exit 0; }
"$python" - "$target.new" <<'END'
import glob, sys, zipfile
with zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0]) as wheel:
    wanted = ("ansible_collections/community/docker/", "ansible_collections/community/library_inventory_filtering_v1/")
    wheel.extractall(sys.argv[1] + "/found", [name for name in wheel.namelist() if name.startswith(wanted)])
END
mkdir -p "$(dirname "$target")"
rm -rf "$target"
mv "$target.new/found" "$target"

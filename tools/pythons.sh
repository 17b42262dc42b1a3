#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints `VERSION PATH` for each Python 3.9-3.13 that is installed here: on PATH, or as a pyenv version.
set -eu

works() { # a shim of a version that is not selected is on PATH, but does not run
    "$1" -c 'import sys, venv, ensurepip; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$2" 2>/dev/null
}

for version in 3.9 3.10 3.11 3.12 3.13; do
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python "$(command -v "python$version" || true)"; do
        if [ -x "$candidate" ] && works "$candidate" "$version"; then
            echo "$version $candidate"
            break
        fi
    done
done

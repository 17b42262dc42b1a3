#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs ansible-test in a copy of the tracked files below ansible_collections/cocker/engine, where it wants them.
# usage: ansible_test.sh ANSIBLE_TEST_DIRECTORY [arguments of ansible-test; default: sanity --python default]
set -eu

bin=$(cd "$1" && pwd)
shift
top=$(cd "$(dirname "$0")/.." && pwd)
copy=$top/.build/ansible-test/ansible_collections/cocker/engine
cd "$top"

copy_tracked_files() {
    rm -rf "$copy"
    mkdir -p "$copy"
    git ls-files -z | while IFS= read -r -d '' path; do
        [ -e "$path" ] && printf '%s\0' "$path"
    done | tar --create --null --files-from=- | tar --extract --directory "$copy"
    git -C "$copy" init --quiet
    git -C "$copy" add --all
    git -C "$copy" -c user.name=ci -c user.email=ci@localhost commit --quiet -m "copy"
}

# ansible-test bootstraps pip in its virtual environments with a script that it downloads. A stand-in made from a
# wheel that the ordinary pip client downloads does the same, and needs nothing but the package index in use here.
prepare_pip_bootstrap() {
    local cache=$HOME/.ansible/test/cache source version script wheel
    source=$("$bin/python" -c 'import ansible_test, os; print(os.path.dirname(ansible_test.__file__))')/_internal/python_requirements.py
    version=$(sed -n "s/^ *pip='\([0-9.]*\)'.*/\1/p" "$source" | head -n 1)
    script=$cache/get_pip_${version//./_}.py
    [ ! -e "$script" ] || return 0
    mkdir -p "$cache/pip-wheel"
    "$bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$cache/pip-wheel" 'pip>=24.2'
    wheel=$(find "$cache/pip-wheel" -name 'pip-*.whl' | sort -V | tail -n 1)
    cat >"$script" <<PY
import runpy, sys
sys.path.insert(0, "$wheel")
sys.argv[1:] = ["install", "--no-index", "--disable-pip-version-check", "$wheel"]
runpy.run_module("pip", run_name="__main__")
PY
}

# Only interpreters that run: a pyenv shim on PATH may name a version that is not selected.
offer_pythons() {
    local pythons=$top/.build/ansible-test/bin version path entry clean=
    rm -rf "$pythons"
    mkdir -p "$pythons"
    while read -r version path; do
        ln -s "$path" "$pythons/python$version"
    done < <("$top/tools/pythons.sh")
    IFS=:
    for entry in $PATH; do
        case $entry in */shims) ;; *) clean=$clean:$entry ;; esac
    done
    unset IFS
    PATH=$pythons$clean
}

copy_tracked_files
offer_pythons
prepare_pip_bootstrap
cd "$copy"
[ "$#" -gt 0 ] || set -- sanity --python default
exec "$bin/ansible-test" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Docker of this Debian, unpacked into a directory and not installed: the package would start a daemon that changes the machine's firewall.
# usage: docker_files.sh DIRECTORY. Where it cannot be had the tests that need it are skipped.
set -eu

target=$(realpath -m "$1")
[ ! -e "$target/usr/sbin/dockerd" ] || exit 0
command -v dpkg-deb >/dev/null || { echo "not a Debian system: docker is tested with where it is installed" >&2; exit 0; }

packages=(docker.io containerd libdevmapper1.02.1)
if apt-cache pkgnames docker-cli | grep -qx docker-cli; then
    packages+=(docker-cli)      # a part of docker.io before Debian 13
fi

rm -rf "$target" "$target.new"
mkdir -p "$target.new"
trap 'rm -rf "$target.new"' EXIT
cd "$target.new"
for attempt in 1 2 3; do
    if apt-get download -qq "${packages[@]}" >log 2>&1; then
        for file in *.deb; do dpkg-deb --extract "$file" root; done
        mv root "$target"
        exit 0
    fi
    echo "attempt $attempt: docker cannot be downloaded: $(tail -n 1 log)" >&2
    apt-get update -qq >/dev/null 2>&1 || true      # a list that names files which are no longer there
done

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a command as if on a host of its own: process ids, mounts, links, names and the directories of /run that the engine writes to are
# seen by it alone, and its cgroups lie in one of its own in every hierarchy. So two runs do not see each other, and what a failed
# one leaves ends with it. usage: box.sh COMMAND [ARGUMENT...]
set -u

group=cocker-test-$$
hierarchies=$(findmnt --raw --noheadings --types cgroup,cgroup2 --output TARGET)

enter_cgroups() {
    local top file
    for top in $hierarchies; do
        mkdir "$top/$group" || exit 1
        for file in cpuset.cpus cpuset.mems; do         # in version 1 nobody may enter before they are set
            [ ! -e "$top/$file" ] || cat "$top/$file" >"$top/$group/$file"
        done
        echo "$BASHPID" >"$top/$group/cgroup.procs"
    done
}

leave_nothing() {
    local top
    for top in $hierarchies; do
        [ ! -d "$top/$group" ] || find "$top/$group" -depth -type d -exec rmdir {} + 2>/dev/null
    done
}

# The first process of a process id namespace reaps orphans; when it ends, everything in the namespace does.
inside() {
    local top path
    mount --make-rprivate /
    # Namespaces that the machine has pinned: when it unlinks one, its mount goes here, too, and a test would have to answer for that.
    findmnt --raw --noheadings --types nsfs --output TARGET | while read -r path; do umount --lazy "$path"; done
    for top in $hierarchies; do mount --bind "$top/$group" "$top"; done
    for path in /run/netns /run/cocker /run/lock; do
        mkdir -p "$path"
        mount -t tmpfs -o mode=0755 tmpfs "$path"
    done
    ip link set lo up
    "$@"
    exit $?
}

trap leave_nothing EXIT
export -f inside
export group hierarchies
(
    enter_cgroups
    exec unshare --pid --fork --kill-child --mount --net --ipc --uts --cgroup --mount-proc bash -uc 'inside "$@"' bash "$@"
)

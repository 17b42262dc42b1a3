#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# host.sh NUMBER DIRECTORY: namespaces that play a host of its own, with /run and links of its own, until the process is killed;
# beside it DIRECTORY/pythonNUMBER, the host's Python for Ansible.
set -e
number=$1 directory=$2
# shellcheck disable=SC2016
unshare --mount --net --propagation private sh -ec '
    for path in /run/netns /run/cocker; do mount -t tmpfs tmpfs $path; done
    mkdir -p /run/netns/cgroup
    mount --rbind /sys/fs/cgroup /run/netns/cgroup
    mount -t sysfs sysfs /sys
    mount --rbind /run/netns/cgroup /sys/fs/cgroup
    umount -l /run/netns/cgroup
    rmdir /run/netns/cgroup
    ip link set lo up
    touch "$0/ready$1"
    exec sleep 600' "$directory" "$number" >/dev/null 2>&1 </dev/null &
holder=$!
until [ -e "$directory/ready$number" ]; do sleep 0.05; done
ip link add "under$number" type veth peer name under0 netns "$holder"
ip link set "under$number" master under up
nsenter -t "$holder" -n ip addr add "198.51.100.$number/24" dev under0
nsenter -t "$holder" -n ip link set under0 up
printf '#!/bin/sh\nexec nsenter -t %s -m -n -- %s "$@"\n' "$holder" /usr/bin/python3 >"$directory/python$number"
chmod 755 "$directory/python$number"
echo "$holder"

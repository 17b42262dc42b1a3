# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what `cocker COMMAND --help` ends with: command lines as people need them, and exit codes that say more than 0 and 1."""
from __future__ import annotations

import typing as t

_NAMES = "Names are those of `cocker ps -a`; several are done one after the other, and one failure does not hide the others."
_FOREIGN = "Exit code: that of the command; 125 if it was not even tried, 126 if it cannot be run, 127 if it is not there."
_FILTERS = "Values of one --filter key are alternatives, several keys must all hold."

EXAMPLES: t.Dict[str, t.Tuple[t.Sequence[str], str]] = {
    "ps": (("cocker ps -a", "cocker ps --filter status=exited --filter label=site=a", "cocker ps --format '{names}\\t{status}'"),
           "Ids will do for names. " + _FILTERS),
    "images": (("cocker images", "cocker images debian", "cocker images -q --filter label=site"), _FILTERS),
    "networks": (("cocker networks", "cocker networks --format json"), _FILTERS),
    "volumes": (("cocker volumes -q",), _FILTERS),
    "info": (("cocker info", "cocker info --format json"), "Missing parts are listed with what cannot be done without them."),
    "inspect": (("cocker inspect web", "cocker inspect -f '{{.State.Pid}}' web", "cocker inspect --type image debian:12"),
                "One JSON array; 1 if one of the names is not there."),
    "top": (("cocker top web",), "The image needs no ps for it."),
    "stats": (("cocker stats", "cocker stats --no-stream web db"), "Left by ctrl-c."),
    "diff": (("cocker diff web",), "A is added, C changed, D deleted. Put away by `cocker commit`."),
    "port": (("cocker port web", "cocker port web 80"), ""),
    "report": (("cocker report --logs >report.json",), "Values of variables are left out: they may be passwords."),
    "create": (("cocker create --name web -p 8080:80 debian:12 nginx",), "Flags are the options of the module cocker_container."),
    "run": ((
        "cocker run --rm debian:12 cat /etc/os-release", "cocker run -it --rm debian:12 bash",
        "cocker run -d --name web -p 8080:80 -v data:/var/lib/web -m 256M web:1.4",
        "cocker run -d --name build --under debian:12 sshd:1.0",
    ), "Flags are the options of the module cocker_container. " + _FOREIGN),
    "update": (("cocker update --memory 512M web", "cocker update --on-change apply --env MODE=b web"), "What is not said stays as it is."),
    "start": (("cocker start web", "cocker start -ai shell"), _NAMES + " With -a the exit code is that of the container."),
    "stop": (("cocker stop web", "cocker stop -t 60 db"), _NAMES),
    "restart": (("cocker restart web",), _NAMES),
    "kill": (("cocker kill web", "cocker kill -s HUP web"), _NAMES),
    "wait": (("cocker wait job",), "Prints the exit code of each."),
    "rename": (("cocker rename web web-old",), "Its files, its addresses and its volumes stay. Stop it first."),
    "rm": (("cocker rm web", "cocker rm -fv web"), "Volumes stay: data goes only by name, or with -v, if it has none. " + _NAMES),
    "exec": ((
        "cocker exec -it web sh", "cocker exec -u www-data -w /srv web ls -l", "cat dump.sql | cocker exec -i db psql",
        "cocker exec -d web job",
    ), "ctrl-p ctrl-q leaves a terminal; the command goes on. " + _FOREIGN),
    "attach": (("cocker attach web",), "Its own terminal, if it has one; a container without a command gives a login shell. " + _FOREIGN),
    "logs": (("cocker logs -f --since 10m web", "cocker logs -n 100 -t web", "cocker logs --exec 7d3f web"),
             "What it wrote to stderr goes to stderr."),
    "cp": ((
        "cocker cp site.conf web:/etc/nginx/", "cocker cp web:/var/log/app ./logs", "cocker cp web:/srv - | tar -t",
        "tar -cC site . | cocker cp - web:/srv",
    ), "The container need not run. What comes in an archive, compressed or not, keeps its owners' numbers; devices are refused."),
    "pull": (("cocker pull registry.example/team/app:1.4", "cocker pull --repository images@store app:1.4"), ""),
    "push": (("cocker push app:1.4 registry.example/team/app:1.4", "cocker push --repository - app:1.4"), ""),
    "search": (("cocker search", "cocker search --repository images@store 'app:1.*'"), ""),
    "import": (("cocker import app.tar", "cocker import rootfs.tar.zst debian:12", "cocker import ./root base:1.0"), ""),
    "export": (("cocker export -o app.tar app:1.4", "cocker export -o . app:1.4"), "The same file is not written again."),
    "commit": (("cocker commit web web:1.5", "cocker commit --layers top --move build sshd:1.0"), "Takes no longer where there is more."),
    "tag": (("cocker tag app:1.4 app:stable",), ""),
    "rmi": (("cocker rmi app:1.3",), "An image that a container needs is not removed."),
    "login": (("cocker login -u robot registry.example", "pass registry | cocker login -u robot --password-stdin registry.example"), ""),
    "logout": (("cocker logout registry.example",), ""),
    "network create": ((
        "cocker network create --subnet 10.66.1.0/24 back", "cocker network create --driver macvlan --uplink eth1 lan",
    ), "Flags are the options of the module cocker_network."),
    "network connect": (("cocker network connect --alias db back web",), ""),
    "network disconnect": (("cocker network disconnect back web",), ""),
    "network rm": (("cocker network rm back",), ""),
    "volume create": (("cocker volume create data", "cocker volume create --size 10G -l site=a data"),
                      "Flags are the options of the module cocker_volume."),
    "volume rm": (("cocker volume rm data",), "A volume that a container needs is not removed."),
    "image runc": (("cocker image runc -id redis -p 6379:6379 -d redis redis-server",), _FOREIGN),
    "prune": (("cocker prune --dry-run", "cocker prune -f --images --all --filter until=720h"), ""),
    "completion": (("cocker completion bash >/etc/bash_completion.d/cocker",), ""),
}


def shown(name: str) -> str:
    lines, note = EXAMPLES.get(name, ((), ""))
    parts = [["examples:", *("  " + line for line in lines)] if lines else [], [note] if note else []]
    return "\n\n".join("\n".join(part) for part in parts if part)

# SPDX-License-Identifier: BSD-2-Clause
"""What the head of the archive has Python run (roles/host/files/pyz.py): the compiled copy, and without one the archive itself.

Each call compiles it: so it asks nothing of modules that Python would have to load, and the packer takes its documentation away.
"""
from __future__ import annotations

import posix
import sys

DIGEST = ""  # written when it is packed


def start() -> None:
    del sys.argv[0]
    homes = [posix.environ.get(b"COCKER_HOME") or b"/var/cocker"]
    if sys.argv[0].endswith("cocker-runtime"):
        homes.append(b"/run/cocker")
    for home in homes:
        try:
            facts = posix.lstat(home + b"/engine")
            if posix.geteuid() or facts.st_uid or facts.st_mode & 0o022:        # what others could have written is never run
                continue
            copy = "%s/engine/cli-%s-%s" % (home.decode("utf-8", "surrogateescape"), DIGEST, sys.implementation.cache_tag)
            with open(copy + "/first", "rb", 0) as stream:
                code = stream.read()
        except OSError:
            continue
        import marshal
        space = {"__name__": "cocker"}  # type: dict[str, object]
        exec(marshal.loads(code), space)
        space["go"](copy)  # type: ignore[operator]
    import runpy
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    start()

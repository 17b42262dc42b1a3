# SPDX-License-Identifier: GPL-3.0-or-later
"""Run with python -c on the managed host: waits until services answer, all at the same time.

The argument is JSON, [[name, address, port, seconds], ...]. On standard output are the names of those that did not answer in time, as JSON.
"""
from __future__ import annotations

import json
import socket
import sys
import time

PAUSE = 0.1     # seconds between two rounds


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def main() -> None:
    asked, begun, late = json.loads(sys.argv[1]), time.monotonic(), []
    while asked:
        asked = [each for each in asked if not answers(each[1], each[2])]
        spent = time.monotonic() - begun
        late += [each[0] for each in asked if spent >= each[3]]
        asked = [each for each in asked if spent < each[3]]
        if asked:
            time.sleep(PAUSE)
    print(json.dumps(sorted(late)))


main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A line that is cut: python tcp_cutter.py PORT TARGET FILE

Passes connections on to TARGET on the loopback. FILE says after how many bytes, of both directions, a connection ends; 0 is never.
"""
from __future__ import annotations

import pathlib
import select
import socket
import sys
import threading


def serve(port: int, target: int, file: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            client, _address = listener.accept()
            threading.Thread(target=pass_on, args=(client, target, int(file.read_text())), daemon=True).start()


def pass_on(client: socket.socket, target: int, limit: int) -> None:
    with client, socket.create_connection(("127.0.0.1", target)) as server:
        other, total = {client: server, server: client}, 0
        while not limit or total < limit:
            for source in select.select(list(other), [], [])[0]:
                data = source.recv(16384)
                total += len(data)
                if not data:
                    return
                other[source].sendall(data)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3]))

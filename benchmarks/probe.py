# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.probe FROM TO COUNT [NAME]`: how long a call to one node takes to be seen on another.

Reports a request to port FROM and asks port TO for its cluster until it is there; prints the times in ns, from the
answer of the first node to the arrival of the answer of the second that has it. A process of its own, so that the load
beside it does not delay it, and ahead of that load where the system permits it. The asking itself adds up to 0.1 ms.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from time import perf_counter_ns, sleep

GAP_SECONDS = 0.02


def ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return connection.recv(65536)


def main(source: int, target: int, count: int, run: str = "") -> None:
    """Print `count` times. `run` sets the requests apart from those of another run."""
    with suppress(OSError):
        os.nice(-15)
    with (
        socket.create_connection(("127.0.0.1", source), 10) as first,
        socket.create_connection(("127.0.0.1", target), 10) as second,
    ):
        for number in range(count):
            name = b"probe%b-%d" % (run.encode(), number)
            body = b'{"cluster":"%b","request_id":"%b","ip":"10.9.9.9"}' % (name, name)
            head = b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n" % len(body)
            ask(first, head + body)
            began = perf_counter_ns()
            while b'"data":null' in ask(second, b"GET /v1/load/stats?cluster=%b HTTP/1.1\r\nHost: n\r\n\r\n" % name):
                pass
            print(perf_counter_ns() - began, flush=True)
            sleep(GAP_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:5])

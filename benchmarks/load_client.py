"""A load client for machines without wrk: `load_client.py PORT REQUEST_FILE PREFIX SECONDS CONNECTIONS`.

It does as little as it can per request: bytes made beforehand, no parser but for the status and the length. Run by
load.py, in a process of its own; prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_LAST_ANSWERS_SECONDS = 5.0


class Connection(asyncio.Protocol):
    """A kept-alive connection that sends the next request when the last one is answered."""

    def __init__(self, head: bytes, tail: bytes, deadline: float) -> None:
        """Send *head*, a number, *tail*, until *deadline*, on the clock of `time.perf_counter`."""
        self._head = head
        self._tail = tail
        self._deadline = deadline
        self._transport: asyncio.Transport
        self._sent = 0
        self._sent_at = 0.0
        self._received = b""
        self.seconds: list[float] = []
        self.failures = 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take the answer, or a part of it."""
        self._received += data
        head_bytes = self._received.find(b"\r\n\r\n") + 4
        if head_bytes < 4:  # noqa: PLR2004 - not found: the rest is still to come
            return
        at = self._received.lower().find(b"content-length:")
        length = int(self._received[at + 15 : self._received.index(b"\r", at)]) if 0 <= at < head_bytes else 0
        if len(self._received) < head_bytes + length:
            return
        now = time.perf_counter()
        self.seconds.append(now - self._sent_at)
        self.failures += not self._received.startswith(b"HTTP/1.1 2")
        self._received = b""
        if now < self._deadline:
            self._send()
        else:
            self._sent_at = 0.0
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a request that got no answer."""
        self.failures += exc is not None or self._sent_at != 0.0
        self.closed.set_result(None)

    def _send(self) -> None:
        self._sent += 1
        self._sent_at = time.perf_counter()
        self._transport.writelines((self._head, b"%d" % self._sent, self._tail))


async def main(port: int, template: bytes, prefix: str, seconds: float, connections: int) -> None:
    """Load the server and print what came back."""
    head, tail = template.split(b"{webhook-id}")
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    protocols = []
    for number in range(connections):
        protocol = Connection(head + f"{prefix}-{number}-".encode(), tail, started + seconds)
        await loop.create_connection(lambda p=protocol: p, "127.0.0.1", port)  # type: ignore[misc]
        protocols.append(protocol)
    await asyncio.wait_for(asyncio.gather(*[p.closed for p in protocols]), seconds + _LAST_ANSWERS_SECONDS)
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for p in protocols for latency in p.seconds)
    answer = {
        "requests": len(latencies),
        "seconds": elapsed,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "failures": sum(p.failures for p in protocols),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    port, file, id_prefix, duration, number = sys.argv[1:]
    uvloop.run(main(int(port), Path(file).read_bytes(), id_prefix, float(duration), int(number)))

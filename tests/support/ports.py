"""Ports for servers that are not there yet."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Find a port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

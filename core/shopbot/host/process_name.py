"""How a worker process is called in the store, and which others it knows to have ended."""

import os
import secrets
import socket
from dataclasses import dataclass, field


def host_name() -> str:
    """Make a name for a run of a host that no other host and no other run has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class ProcessName:
    """The name of one process of a host."""

    host: str = field(default_factory=host_name)
    place: int = 0
    """Its number among the host's processes."""
    run: int = 0
    """How many processes had this place before it."""
    alone: bool = False
    """Whether no other host can use the store."""

    def __str__(self) -> str:
        return f"{self.host}.{self.place}.{self.run}"

    def has_outlived(self, other: str) -> bool:
        """Say of another process's name whether that process is known to have ended.

        Those that had the same place have: the host starts a process only when it has seen the end of the one before.
        Of another host nothing is known, unless there can be none.
        """
        if other.startswith(f"{self.host}.{self.place}."):
            return other != str(self)
        return self.alone and not other.startswith(f"{self.host}.")

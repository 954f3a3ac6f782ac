"""Where the processes of a comparison run: whatever answers requests has a core to itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Placement:
    """One core for the server, the others for the load and for stores.

    Elsewhere the load comes from other machines. Here it would share a core with the server while another one idles,
    or not, as the kernel happens to place them, and that is more than what is to be measured.
    """

    server: frozenset[int]
    others: frozenset[int]

    @classmethod
    def here(cls) -> Placement | None:
        """Divide the cores that this process may use; None where there is one, or no way to divide them."""
        if sys.platform != "linux":
            return None
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others)) if others else None

    def begin(self) -> None:
        """Leave the server's core to it: this process, and what it starts from now on, runs on the others."""
        os.sched_setaffinity(0, self.others)

    @contextmanager
    def starting_server(self) -> Iterator[None]:
        """Have what is started inside the block run on the server's core, with all that it starts in turn."""
        os.sched_setaffinity(0, self.server)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.others)

    def move_store(self, pid: int) -> None:
        """Move a store that a server has started to the other cores."""
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), self.others)

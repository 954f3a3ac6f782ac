"""How long the machine has been up: the clock for "was this process held up?"."""

import time

# The monotonic clock stands still while the machine is suspended, and others go on meanwhile. macOS has no such clock,
# and its monotonic one goes on.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime_seconds() -> float:
    """Give the seconds since the machine was started, those included for which it was suspended."""
    return time.clock_gettime(_CLOCK)

"""The time of a trial: it stands still until it is moved, and what the store keeps grows old with it."""

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

_AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then
    if left <= tonumber(ARGV[1]) then
      redis.call('DEL', key)
    else
      redis.call('PEXPIRE', key, left - ARGV[1])
    end
  end
end
"""
"""Takes so many milliseconds from the life of every key. The server's own clock cannot be moved."""


class TrialClock:
    """The clock of a host under trial. Goes forward only."""

    def __init__(self, start: datetime, store: Redis) -> None:
        self._now = start.astimezone(UTC)
        self._store = store

    def __call__(self) -> datetime:
        """Give the time, in UTC."""
        return self._now

    async def move_to(self, moment: datetime) -> None:
        """Let the time until then pass; a moment that is over changes nothing."""
        passed = moment - self._now
        if passed > timedelta(0):
            self._now = moment.astimezone(UTC)
            await self._store.eval(_AGE, 0, str(int(passed / timedelta(milliseconds=1))))

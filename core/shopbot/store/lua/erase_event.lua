-- Erases an event that waits, was given up, or is finished.
-- KEYS: event hash, journal, its arrival's mark (or the event hash again: the mark stays), then the sorted sets that it
--   may wait in.
-- ARGV: event id.
-- Returns how many keys are gone, or -1 when it is in the inbox or in a worker's hands: then nothing is changed, and its
-- attempt will end.
local waited = 0
for i = 4, #KEYS do
  waited = waited + redis.call('ZREM', KEYS[i], ARGV[1])
end
-- What is finished has a time to live.
if waited == 0 and redis.call('PTTL', KEYS[1]) == -1 then
  return -1
end
return redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])

-- Gives a dead letter up for good: its body goes now, its journal after its usual life.
-- KEYS: dead, event hash, journal. ARGV: event id, life of the journal in ms.
-- Returns 1, or 0 when it is no dead letter (any more).
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HDEL', KEYS[2], 'body')
redis.call('HSET', KEYS[2], 'status', 'purged')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return 1

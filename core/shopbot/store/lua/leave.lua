-- Takes an event out of a shopper's line: it has no message for the shopper any more, so that nobody waits behind it.
-- KEYS: the shopper's line, retries, inbox. ARGV: event id, prefix of event hashes.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local following = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
if following and redis.call('HGET', ARGV[2] .. following, 'reason') == 'WAITING_FOR_EARLIER' and
    redis.call('ZREM', KEYS[2], following) == 1 then
  redis.call('XADD', KEYS[3], '*', 'id', following)
end
return 1

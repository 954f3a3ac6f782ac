-- Counts what a poll took in and, for the one that leads, moves the window of the next poll.
-- KEYS: the poller's hash, its lease.
-- ARGV: token (empty: not the leader, only count), orders, new ones, ones that the poll saw first, start of the next
--   window in ms (empty: as it is), now ms where the poll is complete (empty: it goes on).
-- Returns 0 when the token has lost the lease: then nothing but the counts was changed; else 1.
redis.call('HINCRBY', KEYS[1], 'orders', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'new', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'first_seen', ARGV[4])
if ARGV[1] == '' then
  return 1
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'window_from_ms', ARGV[5])
end
if ARGV[6] ~= '' then
  redis.call('HINCRBY', KEYS[1], 'polls', 1)
  redis.call('HSET', KEYS[1], 'last_success_ms', ARGV[6])
  redis.call('HDEL', KEYS[1], 'last_error', 'last_error_ms')
end
return 1

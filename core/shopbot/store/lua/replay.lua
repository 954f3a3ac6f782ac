-- Takes a dead letter back into the inbox, with its attempts renewed and its claims as they are.
-- KEYS: dead, event hash, inbox. ARGV: event id, the only rule to run (empty: all).
-- Returns 1, or 0 when it is no dead letter (any more).
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], 'attempts', 0, 'status', 'replayed', 'only_rule', ARGV[2])
redis.call('XADD', KEYS[3], '*', 'id', ARGV[1])
return 1

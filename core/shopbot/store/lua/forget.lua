-- Removes a worker process that is gone from the group. Events that it holds would go with it, so one that has come back
-- to life, or was handed an event meanwhile, stays.
-- KEYS: inbox, its sign of life. ARGV: group, consumer.
-- Returns 1 when it was removed, else 0.
if redis.call('EXISTS', KEYS[2]) == 1 or #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then
  return 0
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1

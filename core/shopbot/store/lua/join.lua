-- Gives an event a place in a shopper's line.
-- KEYS: the line, event hash. ARGV: event id, rank (arrival ms), life of the line in ms.
redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if redis.call('EXISTS', KEYS[2]) == 0 then
  -- In its first attempt, when it has no hash yet; whoever looks at the line takes one without for gone.
  redis.call('HSET', KEYS[2], 'status', '')
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1

-- Counts a claimed send against a limit that it was claimed without.
-- KEYS: claim, the limit's log. ARGV: token, now ms, messages allowed per period, period ms.
-- Returns 0 when it counts now, else when the next message is allowed in ms: now, where the claim is not this token's
-- any more.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return ARGV[2]
end
-- The same call sent again after a lost answer finds its own place.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. (ARGV[2] - ARGV[4]))
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
    return string.format('%.0f', redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] + ARGV[4])
  end
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
redis.call('HSET', KEYS[1], 'limit', KEYS[2])
return '0'

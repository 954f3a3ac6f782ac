-- Takes in the echo of a message: it settles a send whose answer never came, and shows that echoes arrive.
-- KEYS: claim, held, dead, inbox, echoes, sent messages without an echo.
-- ARGV: token, message id, now ms, 1 when echoes may have been lost before this one, prefix of the event hashes.
-- Returns 1 when it settled a send in doubt, else 0.
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[5], 'listening_ms', ARGV[3])
end
local claim = redis.call('HMGET', KEYS[1], 'token', 'state', 'event', 'claimed_ms')
if claim[1] ~= ARGV[1] then
  return 0
end
redis.call('ZREM', KEYS[6], ARGV[1])
local last = redis.call('HGET', KEYS[5], 'last_claimed_ms')
if not last or tonumber(last) < tonumber(claim[4]) or tonumber(last) > tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[5], 'last_claimed_ms', claim[4])
end
redis.call('HSET', KEYS[1], 'echo_ms', ARGV[3])
if claim[2] == 'sent' then
  return 0
end
redis.call('HSET', KEYS[1], 'state', 'sent', 'message_id', ARGV[2], 'at_ms', ARGV[3])
redis.call('HDEL', KEYS[1], 'limit')
if redis.call('ZREM', KEYS[2], claim[3]) + redis.call('ZREM', KEYS[3], claim[3]) > 0 then
  redis.call('XADD', KEYS[4], '*', 'id', claim[3])
else
  -- Faster than its own worker, which may be about to hold the event: it must not wait for this echo.
  local event = ARGV[5] .. claim[3]
  local known = redis.call('EXISTS', event)
  redis.call('HSET', event, 'echoed', 1)
  if known == 0 then
    -- In its first attempt, whose end sets another life, or gone.
    redis.call('PEXPIRE', event, 86400000)
  end
end
return 1

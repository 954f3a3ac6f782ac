-- Says how a claimed send ended. Only the holder of the token may, and `sent` is final.
-- KEYS: claim, the shopper's line (the claim again where there is none), sent messages without an echo, retries, inbox.
-- ARGV: token, verdict (sent, free, in_doubt), message id, now ms, prefix of event hashes, how many messages without an
--   echo are remembered, the least life in ms of a claim in doubt.
-- Returns 1, or 0 when the claim is not this token's any more or the message is known to be sent.
local held = redis.call('HMGET', KEYS[1], 'token', 'state', 'event', 'claimed_ms', 'echo_ms', 'limit')
if held[1] ~= ARGV[1] then
  return 0
end
if held[2] == 'sent' and ARGV[2] ~= 'sent' then
  return 0
end
if ARGV[2] == 'free' then
  redis.call('DEL', KEYS[1])
  if held[6] then
    redis.call('ZREM', held[6], ARGV[1])
  end
  return 1
end
if held[2] ~= 'sent' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'message_id', ARGV[3], 'at_ms', ARGV[4])
end
if ARGV[2] == 'in_doubt' and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[7]) then
  -- Its dead letter waits for a person, and a replay must find it.
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
end
if ARGV[2] == 'sent' then
  redis.call('HDEL', KEYS[1], 'limit')
  if not held[5] then
    redis.call('ZADD', KEYS[3], held[4], ARGV[1])
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[6])
  end
  if KEYS[2] ~= KEYS[1] and redis.call('ZREM', KEYS[2], held[3]) == 1 then
    -- Whoever waited for this message need not wait for the time of the next look.
    local following = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if following and redis.call('HGET', ARGV[5] .. following, 'reason') == 'WAITING_FOR_EARLIER' and
        redis.call('ZREM', KEYS[4], following) == 1 then
      redis.call('XADD', KEYS[5], '*', 'id', following)
    end
  end
end
return 1

-- Says how a claimed send ended. Only the holder of the token may, and `sent` is final.
-- KEYS: claim, the shopper's line, the limit's log (each the claim again where there is none).
-- ARGV: token, verdict (sent, free, in_doubt), message id, now ms.
-- Returns 1, or 0 when the claim is not this token's any more or the message is known to be sent.
local held = redis.call('HMGET', KEYS[1], 'token', 'state', 'event')
if held[1] ~= ARGV[1] then
  return 0
end
if held[2] == 'sent' then
  return ARGV[2] == 'sent' and 1 or 0
end
if ARGV[2] == 'free' then
  redis.call('DEL', KEYS[1])
  if KEYS[3] ~= KEYS[1] then
    redis.call('ZREM', KEYS[3], ARGV[1])
  end
else
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'message_id', ARGV[3], 'at_ms', ARGV[4])
  if ARGV[2] == 'sent' and KEYS[2] ~= KEYS[1] then
    redis.call('ZREM', KEYS[2], held[3])
  end
end
return 1

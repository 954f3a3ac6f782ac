-- Takes in the echo of a message: it settles a send whose answer never came, and shows that echoes arrive.
-- KEYS: claim, held, dead, inbox, echoes.
-- ARGV: token, message id, now ms, when the platform says the message was sent in ms.
-- Returns 1 when it settled a send in doubt, else 0.
local last = redis.call('HGET', KEYS[5], 'last_sent_ms')
if not last or tonumber(last) < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[5], 'last_sent_ms', ARGV[4])
end
local claim = redis.call('HMGET', KEYS[1], 'token', 'state', 'event')
if claim[1] ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'echo_ms', ARGV[3])
if claim[2] == 'sent' then
  return 0
end
redis.call('HSET', KEYS[1], 'state', 'sent', 'message_id', ARGV[2], 'at_ms', ARGV[3])
if redis.call('ZREM', KEYS[2], claim[3]) + redis.call('ZREM', KEYS[3], claim[3]) > 0 then
  redis.call('XADD', KEYS[4], '*', 'id', claim[3])
end
return 1

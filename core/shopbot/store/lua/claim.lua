-- Claims a message for one send, or says who has it.
-- KEYS: claim. ARGV: event id, token, now ms, life in ms.
-- Returns {state, event, token, message id, at ms}; state is `new` when this call has made the claim.
local held = redis.call('HMGET', KEYS[1], 'state', 'event', 'token', 'message_id', 'at_ms')
if held[1] then
  -- The same call sent again after a lost answer: the client may repeat it.
  if held[3] == ARGV[2] and held[1] == 'sending' then
    held[1] = 'new'
  end
  return {held[1], held[2], held[3], held[4] or '', held[5]}
end
redis.call('HSET', KEYS[1], 'state', 'sending', 'event', ARGV[1], 'token', ARGV[2], 'at_ms', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'new', ARGV[1], ARGV[2], '', ARGV[3]}

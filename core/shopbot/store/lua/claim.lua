-- Claims a message for one send, or says who has it, or why it must wait.
-- KEYS: claim, the shopper's line (or the claim again: the message waits for nobody), the limit's log (or the claim
--   again: there is no limit).
-- ARGV: event id, token, now ms, life of the claim in ms, rank in the line (arrival ms), messages allowed per period,
--   period ms, prefix of event hashes, life of the line in ms, whether the event keeps its place for another message.
-- Returns {state, event, token, message id, at ms, claimed ms}. State is `new` when this call has made the claim,
-- `behind` when an earlier event (named in the second place) comes first, `limited` when the period's messages are used
-- up until the time in the fifth place; else the claim's own.
local held = redis.call('HMGET', KEYS[1], 'state', 'event', 'token', 'message_id', 'at_ms', 'claimed_ms')
if held[1] then
  -- The same call sent again after a lost answer: the client may repeat it.
  if held[3] == ARGV[2] and held[1] == 'sending' then
    held[1] = 'new'
  end
  return {held[1], held[2], held[3], held[4] or '', held[5], held[6]}
end
if KEYS[2] ~= KEYS[1] then
  if redis.call('ZADD', KEYS[2], 'NX', ARGV[5], ARGV[1]) == 1 and redis.call('EXISTS', ARGV[8] .. ARGV[1]) == 0 then
    -- As in join.lua.
    redis.call('HSET', ARGV[8] .. ARGV[1], 'status', '')
    redis.call('PEXPIRE', ARGV[8] .. ARGV[1], ARGV[9])
  end
  redis.call('PEXPIRE', KEYS[2], ARGV[9])
  local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  while first ~= ARGV[1] do
    local status = redis.call('HGET', ARGV[8] .. first, 'status')
    if redis.call('EXISTS', ARGV[8] .. first) == 1 and
        status ~= 'done' and status ~= 'skipped' and status ~= 'failed' and status ~= 'purged' then
      return {'behind', first, '', '', ARGV[3], ARGV[3]}
    end
    redis.call('ZREM', KEYS[2], first)
    first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  end
end
if KEYS[3] ~= KEYS[1] then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. (ARGV[3] - ARGV[7]))
  if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[6]) then
    -- While it is held, nobody waits behind it.
    if KEYS[2] ~= KEYS[1] and ARGV[10] == '0' then
      redis.call('ZREM', KEYS[2], ARGV[1])
    end
    local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
    return {'limited', '', '', '', string.format('%.0f', oldest + ARGV[7]), ARGV[3]}
  end
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[7])
  -- Whoever frees the claim need not know whether it counts, which changes with the window.
  redis.call('HSET', KEYS[1], 'limit', KEYS[3])
end
redis.call('HSET', KEYS[1], 'state', 'sending', 'event', ARGV[1], 'token', ARGV[2], 'at_ms', ARGV[3],
  'claimed_ms', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'new', ARGV[1], ARGV[2], '', ARGV[3], ARGV[3]}

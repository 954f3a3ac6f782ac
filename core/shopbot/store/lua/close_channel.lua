-- Closes a channel: until a time, or until a send gets through again.
-- KEYS: channel. ARGV: state (down, paused), reason, now ms, until ms.
-- Returns 1 when the state is new, 0 when it was so before: alerts go out once.
local channel = redis.call('HMGET', KEYS[1], 'state', 'until_ms')
if channel[1] == 'down' then
  return 0
end
local fresh = channel[1] == ARGV[1] and 0 or 1
local till = ARGV[4]
if channel[1] == 'paused' and tonumber(channel[2]) > tonumber(till) then
  till = channel[2]
end
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'reason', ARGV[2], 'until_ms', till)
if fresh == 1 then
  redis.call('HSET', KEYS[1], 'since_ms', ARGV[3])
end
if ARGV[1] == 'down' then
  redis.call('HSET', KEYS[1], 'probed_ms', ARGV[3])
end
return fresh

-- Notes when a shopper last did something that opens the messaging window, and brings back what found it closed.
-- KEYS: conversation, the shopper's unsent messages, dead, inbox.
-- ARGV: when in ms, life of the record in ms, prefix of event hashes, since when in ms unsent messages still count.
-- Returns how many events were brought back; nothing changes where as late a moment is known.
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[4])
local released = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local event = ARGV[3] .. id
  if redis.call('ZREM', KEYS[3], id) == 0 then
    -- Not a dead letter (yet): somebody has dealt with it, or it is being worked on, and may be about to become one
    -- that nothing else would bring back. One that has its place in the line has a hash, too.
    if redis.call('EXISTS', event) == 1 then
      redis.call('HSET', event, 'window_opened', 1)
    end
  else
    redis.call('HSET', event, 'attempts', 0, 'status', 'replayed', 'only_rule', '')
    redis.call('XADD', KEYS[4], '*', 'id', id)
    redis.call('ZREM', KEYS[2], id)
    released = released + 1
  end
end
return released

-- Puts waiting events back into the inbox, those with the lowest scores first.
-- KEYS: the sorted set they wait in, inbox. ARGV: highest score, how many at most.
-- Returns how many were moved.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('XADD', KEYS[2], '*', 'id', id)
  redis.call('ZREM', KEYS[1], id)
end
return #due

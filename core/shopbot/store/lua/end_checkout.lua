-- Takes all that is known of a checkout link, and lets it serve nobody any more.
-- KEYS: checkout. ARGV: the order that it has served instead.
-- Returns 1, or 0 when nothing is known of the link (any more).
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HDEL', KEYS[1], 'variants', 'tokens', 'opened')
redis.call('HSET', KEYS[1], 'order_id', ARGV[1])
return 1

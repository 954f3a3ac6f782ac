-- Takes in a batch of arrivals: each is either new, and then durable and queued, or a duplicate.
-- KEYS: inbox. All others are made of the prefixes, in the same slot.
-- ARGV: life of the seen marks in ms, prefix of the seen marks, prefix of the event hashes, then per event two: its
--   id, topic, source, received ms and triggered at, with line ends between them; and its body.
-- Returns one number per event: 1 new, 0 duplicate.
local results = {}
for i = 4, #ARGV, 2 do
  local id, topic, source, received, triggered = string.match(ARGV[i], '^(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  local seen, event = ARGV[2] .. id, ARGV[3] .. id
  if redis.call('EXISTS', seen) == 0 then
    redis.call('HSET', event, 'topic', topic, 'source', source, 'received_ms', received,
      'triggered_at', triggered, 'body', ARGV[i + 1])
    -- What is left of the same arrival, finished long ago, has a time to live.
    redis.call('PERSIST', event)
    redis.call('XADD', KEYS[1], '*', 'id', id)
    -- Last: a script that fails is not rolled back, and a mark without its event would lose the next delivery.
    redis.call('SET', seen, '1', 'PX', ARGV[1])
    results[#results + 1] = 1
  else
    if redis.call('EXISTS', event) == 1 then
      redis.call('HINCRBY', event, 'duplicates', 1)
    end
    results[#results + 1] = 0
  end
end
return results

-- Takes in a batch of arrivals: each is either new, and then durable and queued, or a duplicate.
-- KEYS: inbox, then per event: its seen mark, its hash.
-- ARGV: life of the seen mark in ms, then per event: id, topic, source, received ms, triggered at, body.
-- Returns one number per event: 1 new, 0 duplicate.
local results = {}
local at = 2
for i = 2, #KEYS, 2 do
  local seen, event = KEYS[i], KEYS[i + 1]
  if redis.call('EXISTS', seen) == 0 then
    redis.call('HSET', event, 'topic', ARGV[at + 1], 'source', ARGV[at + 2], 'received_ms', ARGV[at + 3],
      'triggered_at', ARGV[at + 4], 'body', ARGV[at + 5])
    -- What is left of the same arrival, finished long ago, has a time to live.
    redis.call('PERSIST', event)
    redis.call('XADD', KEYS[1], '*', 'id', ARGV[at])
    -- Last: a script that fails is not rolled back, and a mark without its event would lose the next delivery.
    redis.call('SET', seen, '1', 'PX', ARGV[1])
    results[#results + 1] = 1
  else
    if redis.call('EXISTS', event) == 1 then
      redis.call('HINCRBY', event, 'duplicates', 1)
    end
    results[#results + 1] = 0
  end
  at = at + 6
end
return results

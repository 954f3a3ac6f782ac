-- Takes in a batch of arrivals: each is either new, and then durable and queued, or a duplicate.
-- KEYS: inbox. All others are made of the prefixes, in the same slot.
-- ARGV: life of the seen marks in ms, prefix of the seen marks, prefix of the event hashes, then per event two: its
--   id, and behind a line end its head (see `store/entry.py`); and its body.
-- Returns one number per event: 1 new, 0 duplicate.
--
-- Until its first attempt ends the whole event lies in its entry of the stream, written once; the seen mark says which
-- entry that is. After that it lies in its hash, where it may wait, and be looked at (see settle.lua).
local results = {}
for i = 4, #ARGV, 2 do
  local id, head = string.match(ARGV[i], '^(.-)\n(.*)$')
  local seen, event = ARGV[2] .. id, ARGV[3] .. id
  if redis.call('EXISTS', seen, event) == 0 then
    local entry = redis.call('XADD', KEYS[1], '*', 'id', id, 'head', head, 'body', ARGV[i + 1])
    -- Last: a script that fails is not rolled back, and a mark without its event would lose the next delivery.
    redis.call('SET', seen, entry, 'PX', ARGV[1])
    results[#results + 1] = 1
  else
    local entry = redis.call('GET', seen)
    if redis.call('EXISTS', event) == 1 or (entry and #redis.call('XRANGE', KEYS[1], entry, entry) > 0) then
      redis.call('HINCRBY', event, 'duplicates', 1)
    end
    results[#results + 1] = 0
  end
end
return results

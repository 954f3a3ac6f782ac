-- Keeps whether a shopper wants messages, as they said last: what they said before does not count, whenever it arrives.
-- KEYS: the record. ARGV: `out` or `in`, when they said so in ms, life of an `in` in ms (an `out` stays).
-- Returns 1, or 0 when they have said something later.
local known = redis.call('GET', KEYS[1])
if known then
  local word, at = string.match(known, '^(%a+) (%d+)$')
  -- Of two words of the same moment the stop counts.
  if at and (tonumber(at) > tonumber(ARGV[2]) or (at == ARGV[2] and word == 'out')) then
    return word == ARGV[1] and at == ARGV[2] and 1 or 0
  end
end
if ARGV[1] == 'out' then
  redis.call('SET', KEYS[1], 'out ' .. ARGV[2])
else
  redis.call('SET', KEYS[1], 'in ' .. ARGV[2], 'PX', ARGV[3])
end
return 1

-- Takes events over from a worker process that gives no sign of life any more.
-- KEYS: inbox, its sign of life. ARGV: group, its name, who takes over, how many at most, prefix of event hashes, how many
--   of them may be suspects.
-- Returns {stream id, event id} of each. An event counts how many processes have ended with it in hand; one that was
-- there before is a suspect. Those are handed out few at a time, so that the culprit drags no others along again and again.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return {}
end
local taken = {}
local room, suspects = tonumber(ARGV[4]), tonumber(ARGV[6])
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', room + 100, ARGV[2])) do
  if #taken >= room then
    break
  end
  local found = redis.call('XRANGE', KEYS[1], entry[1], entry[1])[1]
  if not found then
    redis.call('XACK', KEYS[1], ARGV[1], entry[1])
  else
    local id = found[2][2]
    local suspect = redis.call('HEXISTS', ARGV[5] .. id, 'deaths') == 1
    if not suspect or suspects > 0 then
      suspects = suspects - (suspect and 1 or 0)
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry[1], 'JUSTID')
      redis.call('HINCRBY', ARGV[5] .. id, 'deaths', 1)
      taken[#taken + 1] = {entry[1], id}
    end
  end
end
return taken

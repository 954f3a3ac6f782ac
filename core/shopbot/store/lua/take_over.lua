-- Takes events over from a worker process that gives no sign of life any more.
-- KEYS: inbox, its sign of life. ARGV: group, its name, who takes over, how many at most, prefix of event hashes, whether
--   to take suspects (1) or all others (0).
-- Returns how many suspects it leaves there, then {entry's id, its fields} of each event that it takes. An event counts how
-- many processes have ended with it in hand; one that was taken over before is a suspect.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return {0}
end
local taken = {0}
local room, wanted = tonumber(ARGV[4]), ARGV[6] == '1'
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])) do
  local found = redis.call('XRANGE', KEYS[1], entry[1], entry[1])[1]
  if not found then
    redis.call('XACK', KEYS[1], ARGV[1], entry[1])
  else
    local id = found[2][2]
    local suspect = redis.call('HEXISTS', ARGV[5] .. id, 'deaths') == 1
    if suspect == wanted and room > 0 then
      room = room - 1
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry[1], 'JUSTID')
      redis.call('HINCRBY', ARGV[5] .. id, 'deaths', 1)
      taken[#taken + 1] = found
    elseif suspect then
      taken[1] = taken[1] + 1
    end
  end
end
return taken

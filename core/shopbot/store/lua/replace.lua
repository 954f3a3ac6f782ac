-- Writes a value unless somebody else has written since it was read.
-- KEYS: key. ARGV: the value that was read ('' for none), the new one, its life in ms (0: what is left of it).
-- Returns 1, or 0 when nothing was written.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if tonumber(ARGV[3]) > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
end
return 1

-- Deletes a value unless somebody has written another since it was read.
-- KEYS: key. ARGV: the value that was read.
-- Returns 1, or 0 when nothing was deleted.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])

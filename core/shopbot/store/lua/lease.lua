-- Takes, renews or gives back a lease: at most one token has it.
-- KEYS: lease. ARGV: token, ms that it lasts; 0 gives it back.
-- Returns 1 when the token has the lease now (or had it, and gave it back), else 0.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if tonumber(ARGV[2]) > 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return redis.call('DEL', KEYS[1])

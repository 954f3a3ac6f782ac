-- Makes a cart or checkout token a link's own, for the first that opens it.
-- KEYS: checkout. ARGV: token.
-- Returns 1 when the token is the link's own now, or nothing is known of the link any more; else 0.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 1
end
redis.call('HSETNX', KEYS[1], 'opened', ARGV[1])
return redis.call('HGET', KEYS[1], 'opened') == ARGV[1] and 1 or 0

-- Notes up to when a shopper's phone has received, or the shopper has read, the Page's messages.
-- KEYS: receipts. ARGV: `delivered_ms` or `read_ms`, the watermark in ms, life of the record in ms.
-- Returns 1, or 0 when as late a watermark is known.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(known) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1

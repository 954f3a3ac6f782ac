-- Enters an order into its shopper's index, which holds the newest.
-- KEYS: index. ARGV: order id, its moment in ms, how many are kept, life of the index in ms.
-- Returns 1.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1

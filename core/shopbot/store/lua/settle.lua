-- Ends one attempt at an event: its journal lines are kept and it leaves the worker, all at once.
-- KEYS: inbox, event hash, journal, retries, dead, held, parked, the order's index and the shopper's (each the event
--   hash again where there is none), what says that the event has been taken in.
-- ARGV: group, entry's id, event id, disposition (finished, retry, held, parked, dead), now ms, due ms, life in ms of
--   what is finished (0: nothing is kept of it, not even that it was taken in), attempts so far, status, reason, order
--   id (empty: none), then the journal lines.
-- Returns 1, or 0 when another worker has settled the event meanwhile: then nothing is changed; 2 for a dead letter that
-- is tried again at once instead.
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
redis.call('XDEL', KEYS[1], ARGV[2])
if ARGV[4] == 'finished' and ARGV[7] == '0' then
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[10])
  return 1
end
if entry and entry[2][3] == 'head' then
  -- Its first attempt: what lay in the entry alone lies in its hash from now on; the body only while it may be needed.
  redis.call('HSET', KEYS[2], 'head', entry[2][4])
  if ARGV[4] ~= 'finished' then
    redis.call('HSET', KEYS[2], 'body', entry[2][6])
  end
end
local received = string.match(redis.call('HGET', KEYS[2], 'head') or '', '^.-\n.-\n(%d+)\n') or ARGV[5]
for i = 12, #ARGV do
  redis.call('RPUSH', KEYS[3], ARGV[i])
end
redis.call('HSET', KEYS[2], 'attempts', ARGV[8], 'status', ARGV[9], 'reason', ARGV[10], 'settled_ms', ARGV[5])
if ARGV[11] ~= '' then
  redis.call('HSET', KEYS[2], 'order_id', ARGV[11])
end
local events = string.sub(KEYS[2], 1, -1 - #ARGV[3])
for i = 8, 9 do
  if KEYS[i] ~= KEYS[2] then
    if redis.call('ZADD', KEYS[i], received, ARGV[3]) == 1 then
      -- For each that comes, up to two go that are there no more: the index of a shopper who keeps writing stays small.
      for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, 1)) do
        if redis.call('EXISTS', events .. id) == 0 then
          redis.call('ZREM', KEYS[i], id)
        end
      end
    end
    redis.call('PEXPIRE', KEYS[i], ARGV[7])
  end
end
if ARGV[4] == 'finished' then
  redis.call('HDEL', KEYS[2], 'body')
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
  redis.call('PEXPIRE', KEYS[3], ARGV[7])
  return 1
end
-- What was written during its first attempt has a time to live.
redis.call('PERSIST', KEYS[2])
-- Whatever it has done to processes, this attempt has come to its end.
redis.call('HDEL', KEYS[2], 'deaths')
if ARGV[4] == 'retry' then
  redis.call('ZADD', KEYS[4], ARGV[6], ARGV[3])
elseif ARGV[4] == 'held' and redis.call('HDEL', KEYS[2], 'echoed') == 1 then
  -- The echo that it would wait for has been here.
  redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
elseif ARGV[4] == 'held' then
  redis.call('ZADD', KEYS[6], ARGV[6], ARGV[3])
elseif ARGV[4] == 'parked' then
  redis.call('ZADD', KEYS[7], received, ARGV[3])
elseif redis.call('HDEL', KEYS[2], 'echoed', 'window_opened') > 0 then
  -- What would have brought the dead letter back came while it was decided that it is one.
  redis.call('HSET', KEYS[2], 'attempts', 0, 'status', 'replayed', 'only_rule', '')
  redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
  return 2
else
  redis.call('ZADD', KEYS[5], ARGV[5], ARGV[3])
end
return 1

-- Lets sends through a channel: none while it is down (but one probe now and then) or paused, else one after the other at
-- its rate. What is granted are moments, evenly spaced, so that no second holds more sends than the rate allows.
-- KEYS: channel. ARGV: now ms, sends wanted, sends per second, how far ahead moments are given away in ms, ms between
--   probes, how long a usage figure counts in ms, how old a question may be in ms.
-- Returns {state, sends granted, wait ms, first moment in us from now, us between moments}: state is open, probe, down or
-- paused. With no send granted, wait ms says when to ask again.
local now = tonumber(ARGV[1])
local channel = redis.call('HMGET', KEYS[1], 'state', 'until_ms', 'probed_ms', 'next_ms', 'usage', 'usage_ms',
  'since_ms')
if channel[1] == 'down' then
  local probed = tonumber(channel[3] or 0)
  -- A clock that was put back must not keep the channel down.
  if now - probed >= tonumber(ARGV[5]) or probed > now then
    redis.call('HSET', KEYS[1], 'probed_ms', ARGV[1])
    return {'probe', 1, 0, 0, 0}
  end
  return {'down', 0, probed + tonumber(ARGV[5]) - now, 0, 0}
end
if channel[1] == 'paused' then
  local wait = tonumber(channel[2]) - now
  -- Likewise: a pause that begins in the future was made before the clock was put back.
  if wait > 0 and tonumber(channel[7] or 0) <= now then
    return {'paused', 0, math.ceil(wait), 0, 0}
  end
  redis.call('HDEL', KEYS[1], 'state', 'until_ms', 'reason')
end
local per_second = tonumber(ARGV[3])
if channel[5] and tonumber(channel[5]) > 80 then
  local age = now - tonumber(channel[6])
  if age >= 0 and age < tonumber(ARGV[6]) then
    per_second = per_second * math.max(0.05, (100 - tonumber(channel[5])) / 20)
  end
end
local gap = 1000 / per_second
local ahead = tonumber(ARGV[4])
local first = math.max(tonumber(channel[4] or 0), now)
if first > now + ahead + gap + tonumber(ARGV[7]) then
  first = now -- likewise
end
local granted = math.min(math.floor((now + ahead - first) / gap) + 1, tonumber(ARGV[2]))
if granted < 1 then
  return {'open', 0, math.ceil(first - now - ahead), 0, 0}
end
redis.call('HSET', KEYS[1], 'next_ms', string.format('%.3f', first + granted * gap))
return {'open', granted, 0, math.ceil((first - now) * 1000), math.ceil(gap * 1000)}

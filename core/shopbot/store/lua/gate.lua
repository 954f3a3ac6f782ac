-- Lets sends through a channel: none while it is down (but one probe now and then) or paused, else at its rate.
-- KEYS: channel. ARGV: now ms, sends wanted, sends per second, burst in ms, ms between probes, how long a usage
--   figure counts in ms.
-- Returns {state, sends granted, wait ms}: state is open, probe, down or paused. With no send granted, wait ms says
-- when to ask again.
local now = tonumber(ARGV[1])
local channel = redis.call('HMGET', KEYS[1], 'state', 'until_ms', 'probed_ms', 'tat_ms', 'usage', 'usage_ms')
if channel[1] == 'down' then
  local probed = tonumber(channel[3] or 0)
  -- A clock that was put back must not keep the channel down.
  if now - probed >= tonumber(ARGV[5]) or probed > now then
    redis.call('HSET', KEYS[1], 'probed_ms', ARGV[1])
    return {'probe', 1, 0}
  end
  return {'down', 0, probed + tonumber(ARGV[5]) - now}
end
if channel[1] == 'paused' then
  local wait = tonumber(channel[2]) - now
  if wait > 0 then
    return {'paused', 0, math.ceil(wait)}
  end
  redis.call('HDEL', KEYS[1], 'state', 'until_ms', 'reason')
end
local per_second = tonumber(ARGV[3])
if channel[5] and now - tonumber(channel[6]) < tonumber(ARGV[6]) and tonumber(channel[5]) > 80 then
  per_second = per_second * math.max(0.05, (100 - tonumber(channel[5])) / 20)
end
local gap = 1000 / per_second
local burst = tonumber(ARGV[4])
local tat = math.min(math.max(tonumber(channel[4] or 0), now), now + burst + gap)
local granted = math.floor((now + burst - tat) / gap) + 1
if granted < 1 then
  return {'open', 0, math.ceil(tat - burst - now)}
end
granted = math.min(granted, tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'tat_ms', string.format('%.3f', tat + granted * gap))
return {'open', granted, 0}

-- wrk's side of load.py: sends one request again and again, each time under a webhook id of its own.
-- Arguments: the file with the request, a prefix for the ids. The answer is one line of JSON.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("thread_number", threads)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local template = file:read("*a")
  file:close()
  local from, to = template:find("{webhook-id}", 1, true)
  head = template:sub(1, from - 1) .. args[2] .. "-" .. thread_number .. "-"
  tail = template:sub(to + 1)
  sent = 0
end

function request()
  sent = sent + 1
  return head .. sent .. tail
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "failures": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end

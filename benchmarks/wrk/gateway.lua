-- SPDX-FileCopyrightText: 2026 Metadata Center contributors
-- SPDX-License-Identifier: Apache-2.0
--
-- Requests as a gateway written in Go sends them: its headers, no Content-Type, mostly an empty TraceId, UUIDs as request
-- ids. All but the ids is made beforehand, so that a request costs one concatenation and the server's core is the one
-- that is busy. Settings come from the environment, for wrk makes a Lua state of its own for each thread.

local gateway = { ring = 1009 } -- prime: repeats at no other period's beat

local function setting(name, default)
   return os.getenv("BENCH_" .. name) or default
end

local host = setting("HOST", "127.0.0.1:8080")
local cluster = setting("CLUSTER", "model-a")
local run = tonumber(setting("RUN", "1")) -- sets one run's request ids apart from another's
local every_trace = setting("TRACE", "some") == "every"
local engines = tonumber(setting("ENGINES", "100"))
local key = setting("KEY", "") -- what the gateway shows
local etag = setting("ETAG", "") -- of an answer that the gateway has already

local ids = string.format("6ba7%04x-9dad-41d1-80b4-", run)
local traces = string.format("c0de%04x-5ad1-4c2e-9f00-", run)

local hex = {}
for i = 0, 65535 do
   hex[i] = string.format("%04x", i)
end

-- The last 12 digits of the UUID of request n.
local function number(n)
   return "0000" .. hex[math.floor(n / 65536) % 65536] .. hex[n % 65536]
end

local function head(method, target, length)
   local lines = { method .. " " .. target .. " HTTP/1.1", "Host: " .. host, "User-Agent: Go-http-client/1.1" }
   if length > 0 then
      lines[#lines + 1] = "Content-Length: " .. length
   end
   if key ~= "" then
      lines[#lines + 1] = "Authorization: Bearer " .. key
   end
   if etag ~= "" then
      lines[#lines + 1] = "If-None-Match: " .. etag
   end
   lines[#lines + 1] = "Traceid: "
   return table.concat(lines, "\r\n")
end

local rest = "\r\nAccept-Encoding: gzip\r\n\r\n"

-- A ring of requests, each cut where its trace id and its request id go: a function from n to request n.
local function ring(method, target, body)
   local before, after, close = {}, {}, {}
   for i = 0, gateway.ring - 1 do
      local front, back = body(i)
      local start = head(method, target, #front + 36 + #back)
      if every_trace or i % 10 == 0 then
         before[i], after[i] = start .. traces, rest .. front .. ids
      else
         after[i] = start .. rest .. front .. ids
      end
      close[i] = back
   end
   return function(n)
      local i, id = n % gateway.ring, number(n)
      local start = before[i]
      if start then
         return start .. id .. after[i] .. id .. close[i]
      end
      return after[i] .. id .. close[i]
   end
end

-- POST: prompt lengths of 1 to 5 digits, engines in no order.
function gateway.post()
   return ring("POST", "/v1/load/stats", function(i)
      local prompt = (i * 7919) % (10 ^ (1 + i % 5))
      local engine = (i * 31) % engines
      return '{"cluster":"' .. cluster .. '","request_id":"',
         string.format('","prompt_length":%d,"ip":"10.0.%d.%d"}', prompt, math.floor(engine / 250), engine % 250 + 1)
   end)
end

-- POST that chooses among all engines of the cluster: prompt lengths as above.
function gateway.pick()
   return ring("POST", "/v1/load/pick", function(i)
      local prompt = (i * 7919) % (10 ^ (1 + i % 5))
      return '{"cluster":"' .. cluster .. '","request_id":"', string.format('","prompt_length":%d}', prompt)
   end)
end

-- DELETE of a prompt or of a whole request.
function gateway.delete(target)
   return ring("DELETE", target, function()
      return '{"request_id":"', '","cluster":"","ip":""}'
   end)
end

-- GET: nothing in it depends on the request, but for the traces.
function gateway.get()
   local plain = head("GET", "/v1/load/stats?cluster=" .. cluster, 0)
   return function(n)
      if every_trace or n % 10 == 0 then
         return plain .. traces .. number(n) .. rest
      end
      return plain .. rest
   end
end

-- What wrk counted, as one line of JSON.
function gateway.report(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration_us":%d,"bytes":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
      summary.requests, summary.duration, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency.max
   ))
end

return gateway

-- SPDX-FileCopyrightText: 2026 Metadata Center contributors
-- SPDX-License-Identifier: Apache-2.0
--
-- The calls in a file, over and over, each time with new request ids: for servers with different calls, under one load.
-- A line is METHOD, TARGET, FRONT and BACK with tabs between them; the id goes between FRONT and BACK.

local gateway = require("gateway")
local ids = string.format("6ba7%04x-9dad-41d1-80b4-0000", tonumber(os.getenv("BENCH_RUN")))

local hex = {}
for i = 0, 65535 do
   hex[i] = string.format("%04x", i)
end

local before, after, size = {}, {}, 0
for line in io.lines(os.getenv("BENCH_CALLS")) do
   local method, target, front, back = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
   local head = method .. " " .. target .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\n"
   if front ~= "" then
      head = head .. "Content-Type: application/json\r\nContent-Length: " .. (#front + 36 + #back) .. "\r\n"
      after[size] = back
      head = head .. "Accept-Encoding: gzip\r\n\r\n" .. front .. ids
   else
      head = head .. "Accept-Encoding: gzip\r\n\r\n"
   end
   before[size] = head
   size = size + 1
end

local n = -1

function request()
   n = n + 1
   local i = n % size
   local back = after[i]
   if back then
      return before[i] .. hex[math.floor(n / 65536) % 65536] .. hex[n % 65536] .. back
   end
   return before[i]
end

done = gateway.report

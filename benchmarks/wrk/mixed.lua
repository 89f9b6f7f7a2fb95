-- SPDX-FileCopyrightText: 2026 Metadata Center contributors
-- SPDX-License-Identifier: Apache-2.0
--
-- The whole life of each request: GET, POST, and later DELETE prompt and DELETE stats. The prompt of a request ends 256
-- requests after it was added and the request 256 later, more than the connections can reorder.

local gateway = require("gateway")
local get, post = gateway.get(), gateway.post()
local prompt, stats = gateway.delete("/v1/load/prompt"), gateway.delete("/v1/load/stats")
local lag = 256
local n, step = 0, 3

function request()
   step = (step + 1) % 4
   if step == 0 then
      n = n + 1
   elseif step == 1 then
      return post(n)
   elseif step == 2 and n > lag then
      return prompt(n - lag)
   elseif step == 3 and n > 2 * lag then
      return stats(n - 2 * lag)
   end
   return get(n)
end

done = gateway.report

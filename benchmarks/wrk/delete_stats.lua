-- SPDX-FileCopyrightText: 2026 Metadata Center contributors
-- SPDX-License-Identifier: Apache-2.0
--
-- Names the requests that post.lua added under the same BENCH_RUN, in its order.

local gateway = require("gateway")
local build, n = gateway.delete("/v1/load/stats"), 0

function request()
   n = n + 1
   return build(n)
end

done = gateway.report

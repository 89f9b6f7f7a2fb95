-- SPDX-FileCopyrightText: 2026 Metadata Center contributors
-- SPDX-License-Identifier: Apache-2.0

local gateway = require("gateway")
local build, n = gateway.pick(), 0

function request()
   n = n + 1
   return build(n)
end

done = gateway.report

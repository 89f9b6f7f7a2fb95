# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How well requests are scheduled: a simulation of engines, gateways and ways of knowing the load.

`python -m benchmarks.scheduling` runs it; `SCHEDULING.md` has the results and says how to read them.
"""

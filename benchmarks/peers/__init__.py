# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""This service beside NVIDIA Dynamo's slot tracker and select service, on one machine in turn.

`calls`: the calls of both. `dynamo`: Dynamo's servers. `cost`: CPU and latency. `counting`: what each counts after
calls that come late, twice or never. `page`: PEERS.md. Dynamo has an environment of its own (`requirements/peers.txt`).
"""

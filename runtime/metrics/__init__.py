# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What Prometheus scrapes: counters that the hot path can afford, the Go version's names, the text in pieces."""

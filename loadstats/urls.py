# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' URLs."""

from loadstats.views import LoadPrompt, LoadStats

urlpatterns = [LoadStats.url(), LoadPrompt.url()]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The calls about the node itself."""

from metadata_center.rest.views import Livez, LogLevel, Readyz, Version

urlpatterns = [Livez.url(), Readyz.url(), Version.url(), LogLevel.url()]

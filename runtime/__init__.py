# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What any process needs: configuration, logs, health, metrics, profiles, periodic tasks. Knows no HTTP and no app."""

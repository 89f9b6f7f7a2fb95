# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's backend for PostgreSQL, with a bound on every wait: a database that is away must not hold pages up."""

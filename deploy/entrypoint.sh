#!/bin/sh
# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0

# The container's command is one of `metadata-center`: `run`, `config`, `createsuperuser`, ... Before a node runs, the
# database of people's accounts is brought up to date. It lies in the node's own folder, so no other node is at it.
set -eu
if [ "${1:-}" = run ]; then
    metadata-center migrate --verbosity 0
fi
exec metadata-center "$@"

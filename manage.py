#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The same command line as the installed `metadata-center`, from a checkout."""

import sys

from metadata_center.cli import start

if __name__ == "__main__":
    sys.exit(start())

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m metadata_center`: the same command line as the installed `metadata-center`, by this interpreter."""

import sys

from metadata_center.cli import start

if __name__ == "__main__":
    sys.exit(start())

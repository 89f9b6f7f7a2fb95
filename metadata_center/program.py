# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command line was called as, so that texts can name commands that the reader has. Pure but for `sys`."""

from __future__ import annotations

import shlex
import sys
from pathlib import PurePath

NAME = "metadata-center"


def program() -> str:
    """Return the words before the command.

    `metadata-center` of an installed package, `.venv/bin/python manage.py` of a checkout.
    """
    if PurePath(sys.argv[0]).name == NAME:
        return NAME
    words = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    return shlex.join(words) if len(words) > 1 else NAME

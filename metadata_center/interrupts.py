# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What Ctrl-C does to a process of the command line. Runs on the main thread.

Imports next to nothing, because until it has run Ctrl-C is a traceback. That is why it uses `_signal`, the part of
`signal` that is in C: `signal` itself imports enumerations for 10 ms.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # typeshed has only `signal`


def let_interrupts_end_the_process() -> None:
    """Let Ctrl-C end the process at once and without a word, as SIGTERM does.

    A process that ignores Ctrl-C, such as a job in the background, goes on ignoring it.
    """
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def let_interrupts_raise() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, for code that handles it."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)

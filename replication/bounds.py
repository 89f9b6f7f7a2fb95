# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How large the numbers may be that nodes take from each other. Immutable.

One rule holds for all of them: nothing that is accepted may make a message of ours that a peer refuses. So what is
counted up or grows with time is bounded well below what the wire carries when it comes in, and is kept within what the
wire allows when it goes out. Nodes of earlier releases do not know these bounds, so a number that is too large is
clamped where a smaller one means the same, and passed over where it does not.
"""

from __future__ import annotations

from typing import Final

LATEST_SEQ: Final = 2**53
"""Of events: 10,000 a second for 28,000 years. Added to without end it still travels as 64 bits."""

OLDEST_SECONDS: Final = 2**30
"""What is older than 34 years is as old. Copies carry ages of up to 2³¹ s, and age while they are here."""

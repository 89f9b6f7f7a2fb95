# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How candidates stand at a moment: their scores, less those that rest. Used under the ledger's lock."""

from __future__ import annotations

from loadstats.ledger import CandidateView
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.cool_down import resting
from loadstats.pick.options import PickOptions


def standing(view: CandidateView, options: PickOptions, now: float) -> CandidateScores:
    """Return the candidates' scores at `now`, in monotonic seconds. Where all would rest, none does."""
    if view.has_failing and (places := resting(view, options, int(now))):
        scores = CandidateScores.of(view, options, tuple((place, 0.0) for place in sorted(places)))
        if scores.free:
            return scores
    return CandidateScores.of(view, options)

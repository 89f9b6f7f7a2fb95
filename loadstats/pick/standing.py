# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How candidates stand at a moment: their scores, with less for newcomers and nothing for those that rest.

Used under the ledger's lock.
"""

from __future__ import annotations

from loadstats.ledger import CandidateView
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.cool_down import resting
from loadstats.pick.options import PickOptions
from loadstats.pick.slow_start import starting


def standing(view: CandidateView, options: PickOptions, now: float) -> CandidateScores:
    """Return the candidates' scores at `now`, in monotonic seconds. Where all would rest, none does."""
    if not (view.has_failing or options.slow_start_seconds):
        return CandidateScores.of(view, options)
    tick = int(now)
    weights = starting(view, options.slow_start_seconds, tick)
    if rest := resting(view, options, tick):
        scores = CandidateScores.of(view, options, tuple(sorted((weights | dict.fromkeys(rest, 0.0)).items())))
        if scores.free:
            return scores
    return CandidateScores.of(view, options, tuple(sorted(weights.items())))

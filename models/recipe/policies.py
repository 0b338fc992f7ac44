"""The resolution policies, replayed on recorded answers: which resolution each photo gets, at what cost, and how right it is.

An answer whose margin is small is computed again at the highest resolution, at most once: the photo then costs both.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """What every photo gave at every resolution."""

    correct: np.ndarray  # [photos, resolutions], bool
    margin: np.ndarray  # [photos, resolutions]
    entropy_bits: np.ndarray  # [photos]
    macs: np.ndarray  # [resolutions]


def together(parts: list[Answers]) -> Answers:
    """The answers of several askings as one."""
    rows = (np.concatenate([getattr(part, name) for part in parts]) for name in ("correct", "margin", "entropy_bits"))
    return Answers(*rows, parts[0].macs)


@dataclass(frozen=True)
class Outcome:
    """A policy's figures over a set of photos."""

    accuracy: float
    mean_macs: float
    escalation_rate: float
    mix: list[float]  # share of photos answered at each resolution
    random_accuracy: float  # expected accuracy when the same mix is dealt out by chance


def by_entropy(answers: Answers, thresholds_bits: list[float]) -> np.ndarray:
    """The first resolution's place for each photo."""
    return np.searchsorted(np.asarray(thresholds_bits), answers.entropy_bits, side="right")


def fixed(answers: Answers, place: int) -> np.ndarray:
    return np.full(len(answers.entropy_bits), place)


def play(answers: Answers, first: np.ndarray, margin: float = 0.0) -> Outcome:
    """The outcome of starting at `first` and going to the highest where the margin is smaller than `margin`."""
    photos, last = np.arange(len(first)), len(answers.macs) - 1
    escalated = (first < last) & (answers.margin[photos, first] < margin)
    final = np.where(escalated, last, first)
    mix = np.bincount(final, minlength=last + 1) / len(final)
    return Outcome(
        accuracy=float(answers.correct[photos, final].mean()),
        mean_macs=float((answers.macs[first] + escalated * answers.macs[last]).mean()),
        escalation_rate=float(escalated.mean()),
        mix=[float(share) for share in mix],
        random_accuracy=float(mix @ answers.correct.mean(0)),
    )


_BITS = [0.5 * i for i in range(17)]
_MARGINS = [round(0.02 * i, 2) for i in range(1, 36)]
_TOLERANCE = 0.005


def calibrate(answers: Answers) -> tuple[list[float], float]:
    """Entropy thresholds and margin: the cheapest entropy-cascade not more than half a percent below the highest resolution's accuracy.

    Among equal costs the more accurate wins, then the one with the lower thresholds.
    """
    goal = answers.correct[:, -1].mean() - _TOLERANCE
    best = None
    for low in _BITS:
        for high in _BITS[_BITS.index(low) :]:
            first = by_entropy(answers, [low, high])
            for margin in _MARGINS:
                outcome = play(answers, first, margin)
                key = (outcome.mean_macs, -outcome.accuracy, low, high, margin)
                if outcome.accuracy >= goal and (best is None or key < best):
                    best = key
    if best is None:
        raise ValueError("no entropy-cascade reaches the highest resolution's accuracy")
    return [best[2], best[3]], best[4]


def calibrate_entropy(answers: Answers) -> list[float]:
    """Thresholds for entropy alone: the most accurate that costs no more than the middle resolution always."""
    budget = answers.macs[len(answers.macs) // 2]
    choices = []
    for low in _BITS:
        for high in _BITS[_BITS.index(low) :]:
            outcome = play(answers, by_entropy(answers, [low, high]))
            if outcome.mean_macs <= budget:
                choices.append((-outcome.accuracy, outcome.mean_macs, low, high))
    _, _, low, high = min(choices)
    return [low, high]

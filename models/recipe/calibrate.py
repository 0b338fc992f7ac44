"""Fits what turns cosines into decisions: the logit scale, the no-match verdict, the policies' thresholds.

Everything here sees the calibration half of the photo list and packages that the list does not name, nothing else.
"""

from dataclasses import dataclass

import numpy as np

from . import labelled, metrics, policies, trials
from .head import softmax
from .labelled import Task
from .nomatch import Yardstick
from .photos import Photo
from .tune import TEMPLATES
from .words import Table

_LOGIT_SCALES = tuple(0.5 * i for i in range(8, 121))
_TRIALS_SEED = 7

ByResolution = dict[int, np.ndarray]


@dataclass(frozen=True)
class Verdict:
    """The constants of probability and no-match."""

    logit_scale: float
    slope: float
    intercept: float

    def match_probability(self, standing: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(self.slope * standing + self.intercept)))


@dataclass(frozen=True)
class Standings:
    """Random label sets over labelled photos: the standing at each resolution `[resolutions, trials]`, and what is true of each."""

    standing: np.ndarray
    fits: np.ndarray
    size: np.ndarray


def standings(photos: list[Photo], task: Task, embeddings: ByResolution, background: ByResolution, table: Table) -> Standings:
    drawn = trials.draw([photos[i] for i in task.photos], _TRIALS_SEED)
    names = sorted({label for trial in drawn for label in trial.labels})
    text = dict(zip(names, table.prompts(names, TEMPLATES)))
    standing = [trials.standings(drawn, embeddings[r][task.photos], background[r], text) for r in embeddings]
    return Standings(np.stack(standing), np.array([t.fits for t in drawn]), np.array([len(t.labels) for t in drawn]))


def logit_scale(photos: list[Photo], embeddings: ByResolution, table: Table) -> float:
    """The scale under which the true labels of both tasks are most likely: the least mean log loss."""
    tasks = [(t, table.prompts(t.labels, TEMPLATES)) for t in labelled.tasks(photos)]

    def loss(scale: float) -> float:
        losses = []
        for task, labels in tasks:
            for rows in embeddings.values():
                probability = softmax(scale * rows[task.photos] @ labels.T)
                losses.append(-np.log(probability[np.arange(len(task.answer)), task.answer]).mean())
        return float(np.mean(losses))

    return min(_LOGIT_SCALES, key=loss)


def threshold(probability: np.ndarray, fits: np.ndarray) -> float:
    """The threshold with the best balanced accuracy, in steps of 0.05; among equals the nearest to one half."""
    steps = [round(0.05 * i, 2) for i in range(1, 20)]

    def merit(step: float):
        said = probability >= step
        return round(float(said[fits].mean() + (~said[~fits]).mean()), 9), -abs(step - 0.5)

    return max(steps, key=merit)


def answers(task: Task, embeddings: ByResolution, background: ByResolution, entropy_bits, macs, table: Table, verdict: Verdict) -> policies.Answers:
    """What a task's photos answer when asked for all of its labels."""
    labels = table.prompts(task.labels, TEMPLATES)
    correct, margin = [], []
    for resolution, rows in embeddings.items():
        cosines = rows[task.photos] @ labels.T
        probability = np.sort(softmax(verdict.logit_scale * cosines), axis=1)
        match = verdict.match_probability(Yardstick.of(labels, background[resolution]).standing(cosines))
        correct.append(metrics.zero_shot_top1(cosines.T, task.answer))
        margin.append(np.minimum(probability[:, -1] - probability[:, -2], np.abs(2 * match - 1)))
    return policies.Answers(np.stack(correct, 1), np.stack(margin, 1), entropy_bits[task.photos], np.array(macs))


def fit(photos: list[Photo], embeddings: ByResolution, background: ByResolution, entropy_bits: np.ndarray, macs: list[int], table: Table) -> dict:
    """All fitted values by their names in `manifest.Calibration`."""
    scale = logit_scale(photos, embeddings, table)
    seen = [standings(photos, t, embeddings, background, table) for t in labelled.tasks(photos)]
    x = np.concatenate([s.standing.ravel() for s in seen])
    fits = np.concatenate([np.tile(s.fits, len(s.standing)) for s in seen])
    slope, intercept = (round(value, 4) for value in trials.fit_logistic(x, fits))
    verdict = Verdict(scale, slope, intercept)
    natural, cutouts = (answers(t, embeddings, background, entropy_bits, macs, table, verdict) for t in labelled.tasks(photos))
    entropy, margin = policies.calibrate(natural.joined(cutouts))
    return {
        "logit_scale": scale,
        "slope": slope,
        "intercept": intercept,
        "threshold": threshold(verdict.match_probability(x), fits),
        "entropy_bits": entropy,
        "margin": margin,
    }

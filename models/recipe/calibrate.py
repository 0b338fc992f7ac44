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
_TRIALS_SEED, _ROUNDS = 7, 4

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
class Asked:
    """Random label sets put to labelled photos, one entry a trial."""

    cosines: list[np.ndarray]  # [resolutions, labels]; where the photo's own label is among them, it is the first
    standing: np.ndarray  # [trials, resolutions]
    photo: np.ndarray
    fits: np.ndarray
    size: np.ndarray


def best_cosines(labels: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """The cosines `[labels]` of a picture `[d]`; of several views `[views, d]` a label's best counts."""
    return labels @ embedding if embedding.ndim == 1 else (labels @ embedding.T).max(1)


def ask(photos: list[Photo], task: Task, embeddings: ByResolution, background: ByResolution, table: Table, rounds: int) -> Asked:
    """`rounds` draws of `trials.draw` for the task's photos."""
    drawn = [t for i in range(rounds) for t in trials.draw([photos[i] for i in task.photos], _TRIALS_SEED + i)]
    names = sorted({label for trial in drawn for label in trial.labels})
    text = dict(zip(names, table.prompts(names, TEMPLATES)))
    cosines, standing = [], []
    for trial in drawn:
        labels, photo = np.stack([text[label] for label in trial.labels]), task.photos[trial.photo]
        cosines.append(np.stack([best_cosines(labels, rows[photo]) for rows in embeddings.values()]))
        yardsticks = [Yardstick.of(labels, background[r]) for r in embeddings]
        standing.append([y.standing(c[None])[0] for y, c in zip(yardsticks, cosines[-1])])
    facts = ([t.photo for t in drawn], [t.fits for t in drawn], [len(t.labels) for t in drawn])
    return Asked(cosines, np.array(standing), *map(np.array, facts))


def logit_scale(asked: list[Asked]) -> float:
    """The scale under which the photos' own labels are most likely: the least mean log loss over all sets that hold them."""
    sets = [c for a in asked for c, fits, size in zip(a.cosines, a.fits, a.size) if fits and size > 1]

    def loss(scale: float) -> float:
        return float(np.mean([-np.log(softmax(scale * cosines)[:, 0]).mean() for cosines in sets]))

    return min(_LOGIT_SCALES, key=loss)


def margin(cosines: np.ndarray, standing: np.ndarray, verdict: Verdict) -> np.ndarray:
    """The margin of answers with `cosines` `[answers, labels]`."""
    probability = np.sort(softmax(verdict.logit_scale * cosines), axis=1)
    lead = probability[:, -1] - probability[:, -2] if cosines.shape[1] > 1 else 1.0
    return np.minimum(lead, np.abs(2 * verdict.match_probability(standing) - 1))


def threshold(probability: np.ndarray, fits: np.ndarray) -> float:
    """The threshold with the best balanced accuracy, in steps of 0.05; among equals the nearest to one half."""
    steps = [round(0.05 * i, 2) for i in range(1, 20)]

    def merit(step: float):
        said = probability >= step
        return round(float(said[fits].mean() + (~said[~fits]).mean()), 9), -abs(step - 0.5)

    return max(steps, key=merit)


def answers(task: Task, embeddings: ByResolution, background: ByResolution, entropy_bits, macs, table: Table, verdict: Verdict) -> policies.Answers:
    """What a task's photos answer when asked for all of its labels at once."""
    labels = table.prompts(task.labels, TEMPLATES)
    correct, margins = [], []
    for resolution, rows in embeddings.items():
        cosines = rows[task.photos] @ labels.T
        correct.append(metrics.zero_shot_top1(cosines.T, task.answer))
        margins.append(margin(cosines, Yardstick.of(labels, background[resolution]).standing(cosines), verdict))
    return policies.Answers(np.stack(correct, 1), np.stack(margins, 1), entropy_bits[task.photos], np.array(macs))


def set_answers(asked: Asked, task: Task, entropy_bits: np.ndarray, macs: list[int], verdict: Verdict) -> policies.Answers:
    """What a task's photos answer to random label sets that hold their own label and others."""
    told = [i for i in range(len(asked.size)) if asked.fits[i] and asked.size[i] > 1]
    correct = [asked.cosines[i].argmax(1) == 0 for i in told]
    margins = [margin(asked.cosines[i], asked.standing[i], verdict) for i in told]
    return policies.Answers(np.array(correct), np.array(margins), entropy_bits[task.photos[asked.photo[told]]], np.array(macs))


def fit(photos: list[Photo], embeddings: ByResolution, background: ByResolution, entropy_bits: np.ndarray, macs: list[int], table: Table) -> dict:
    """All fitted values by their names in `manifest.Calibration`."""
    natural, cutouts = labelled.tasks(photos)
    asked = [ask(photos, task, embeddings, background, table, _ROUNDS) for task in (natural, cutouts)]
    standing = np.concatenate([a.standing.ravel() for a in asked])
    fits = np.concatenate([np.repeat(a.fits, a.standing.shape[1]) for a in asked])
    slope, intercept = (round(value, 4) for value in trials.fit_logistic(standing, fits))
    verdict = Verdict(logit_scale(asked), slope, intercept)
    # Cut-outs on white are no camera frames, and more pixels hardly help them: the policies look at the natural photos alone, asked for
    # few labels and, as often as for any other number, for all.
    whole = answers(natural, embeddings, background, entropy_bits, macs, table, verdict)
    entropy, least = policies.calibrate(policies.together([set_answers(asked[0], natural, entropy_bits, macs, verdict)] + [whole] * _ROUNDS))
    return {
        "logit_scale": verdict.logit_scale,
        "slope": slope,
        "intercept": intercept,
        "threshold": threshold(verdict.match_probability(standing), fits),
        "entropy_bits": entropy,
        "margin": least,
    }

"""Chooses and fits everything that is not a weight, on the calibration half of the photo list alone."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from . import classtexts, metrics, policies, trials
from .classes import Class
from .head import Head, conse, softmax
from .nomatch import Yardstick
from .photos import CUTOUTS, NATURAL, Photo
from .words import Table, quantized_rows

TEMPLATES = ["a photo of a {}"]

_HYPERNYM_WEIGHTS = (0.0, 0.15, 0.3, 0.5)
_TOP_K = (5, 10, 20)
_TEMPERATURES = (1.5, 2.0, 2.5, 3.0)
_LOGIT_SCALES = tuple(round(x, 1) for x in np.arange(4, 60.5, 0.5))
_TRIALS_SEED = 7


@dataclass(frozen=True)
class Group:
    """The labelled photos of one kind: their numbers among all observed, their labels, each photo's own label."""

    photos: np.ndarray
    labels: list[str]
    answer: np.ndarray


def group(photos: list[Photo], package: str) -> Group:
    """The photos of `package` that have a label short enough to be one (the cut-outs' longer ones are sentences)."""
    longest = 24 if package == CUTOUTS else 1000
    chosen = [i for i, p in enumerate(photos) if p.package == package and 0 < len(p.label) <= longest]
    labels = sorted({photos[i].label for i in chosen})
    return Group(np.array(chosen), labels, np.array([labels.index(photos[i].label) for i in chosen]))


def groups(photos: list[Photo]) -> list[Group]:
    return [group(photos, NATURAL), group(photos, CUTOUTS)]


def choose_head(photos: list[Photo], logits: dict[int, np.ndarray], classes: list[Class], table: Table) -> tuple[float, int, float]:
    """Hypernym weight, top k and temperature with the best mean reciprocal rank, both ways, both kinds, all resolutions."""
    texts = {weight: classtexts.embed(classes, table, weight) for weight in _HYPERNYM_WEIGHTS}
    sets = [(g, table.prompts(g.labels, TEMPLATES)) for g in groups(photos)]

    def merit(choice):
        weight, top_k, temperature = choice
        ranks = []
        for rows in logits.values():
            for g, labels in sets:
                embeddings = conse(rows[g.photos], texts[weight], temperature, top_k)
                ranks.extend(metrics.reciprocal_ranks(labels @ embeddings.T, g.answer))
        return np.mean(ranks)

    return max(product(_HYPERNYM_WEIGHTS, _TOP_K, _TEMPERATURES), key=merit)


def fit_logit_scale(photos: list[Photo], embeddings: dict[int, np.ndarray], table: Table) -> float:
    """The scale that makes the probabilities of the kinds' whole label sets most likely to be right (least log loss)."""

    def loss(scale):
        losses = []
        for g in groups(photos):
            labels = table.prompts(g.labels, TEMPLATES)
            for rows in embeddings.values():
                probability = softmax(scale * rows[g.photos] @ labels.T)
                losses.append(-np.log(probability[np.arange(len(g.answer)), g.answer]).mean())
        return np.mean(losses)

    return min(_LOGIT_SCALES, key=loss)


def no_match_trials(photos: list[Photo], embeddings: dict[int, np.ndarray], head_background: dict[int, np.ndarray], table: Table):
    """Standings and truths of random label sets over labelled `photos`, all resolutions together; and the sets' sizes."""
    numbers = np.concatenate([g.photos for g in groups(photos)])
    drawn = trials.draw([photos[i] for i in numbers], _TRIALS_SEED)
    names = sorted({label for trial in drawn for label in trial.labels})
    text = dict(zip(names, table.prompts(names, TEMPLATES)))
    standing = [trials.standings(drawn, embeddings[r][numbers], head_background[r], text) for r in embeddings]
    fits = np.array([trial.fits for trial in drawn])
    sizes = np.array([len(trial.labels) for trial in drawn])
    natural = np.array([photos[numbers[trial.photo]].package == NATURAL for trial in drawn])
    return np.stack(standing), fits, sizes, natural


def best_threshold(probability: np.ndarray, fits: np.ndarray) -> float:
    """The threshold with the best balanced accuracy, in steps of 0.05; among equals the nearest to one half."""
    steps = [round(0.05 * i, 2) for i in range(1, 20)]

    def merit(threshold):
        said = probability >= threshold
        return (said[fits].mean() + (~said[~fits]).mean(), -abs(threshold - 0.5))

    return max(steps, key=merit)


def answers(g: Group, embeddings: dict[int, np.ndarray], background: dict[int, np.ndarray], entropy_bits, macs, table: Table, fit) -> policies.Answers:
    """What a kind's photos answer to the kind's whole label set. `fit` holds logit scale, slope and intercept."""
    labels = table.prompts(g.labels, TEMPLATES)
    correct, margin = [], []
    for resolution, rows in embeddings.items():
        cosines = rows[g.photos] @ labels.T
        probability = np.sort(softmax(fit.logit_scale * cosines), axis=1)
        standing = Yardstick.of(labels, background[resolution]).standing(cosines)
        match = 1 / (1 + np.exp(-(fit.slope * standing + fit.intercept)))
        correct.append(metrics.zero_shot_top1(cosines.T, g.answer))
        margin.append(np.minimum(probability[:, -1] - probability[:, -2], np.abs(2 * match - 1)))
    return policies.Answers(np.stack(correct, 1), np.stack(margin, 1), entropy_bits[g.photos], np.array(macs))


def make_head(classifier: np.ndarray, bias: np.ndarray) -> Head:
    """The head without its class texts: enough for logits."""
    weight, scale = quantized_rows(classifier)
    nothing = np.zeros((0, 0), np.int8)
    return Head(weight, scale, bias, nothing, np.zeros(0, np.float32), 1.0, 1)

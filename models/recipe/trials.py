"""Random label sets, with and without a photo's own label: the trials that fit and measure the no-match verdict.

Other labels of a set are drawn from the list's labels and the thousand class names, without those that also fit the photo: a label
that shares an ImageNet class, or that WordNet holds to be broader or narrower than the photo's own.
"""

import random
from dataclasses import dataclass
from functools import cache

import numpy as np

from . import classes, wordnet
from .photos import Photo

SIZES = (1, 2, 5, 10, 40)


@cache
def _kin(label: str) -> frozenset[str]:
    """The words of every sense of `label` and of everything broader."""
    words = {label.lower()}
    for offset in wordnet.senses().get(label.lower(), ()):
        for synset in (wordnet.nouns()[offset], *wordnet.hypernyms(offset)):
            words.update(word.lower() for word in synset.words)
    return frozenset(words)


def related(a: str, b: str) -> bool:
    """Whether one label is the other, or broader than it, in any sense."""
    return a.lower() in _kin(b) or b.lower() in _kin(a) or bool(set(a.lower().split()) & set(b.lower().split()))


@dataclass(frozen=True)
class Trial:
    photo: int
    labels: tuple[str, ...]
    fits: bool


def draw(photos: list[Photo], seed: int) -> list[Trial]:
    """For each photo and size, one set without the photo's label and one with it in the first place."""
    chance = random.Random(seed)
    names = [c.name for c in classes.imagenet()]
    of_class: dict[str, set[int]] = {}
    for photo in photos:
        of_class.setdefault(photo.label, set()).update(photo.imagenet)
    for i, name in enumerate(names):
        of_class.setdefault(name, set()).add(i)
    pool = sorted(of_class)
    trials = []
    for i, photo in enumerate(photos):
        others = [label for label in pool if not (of_class[label] & set(photo.imagenet)) and not related(label, photo.label)]
        for size in SIZES:
            absent = chance.sample(others, size)
            trials.append(Trial(i, tuple(absent), False))
            trials.append(Trial(i, (photo.label, *chance.sample(others, size - 1)), True))
    return trials


def fit_logistic(x: np.ndarray, fits: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the logistic that best tells `fits` from `x`, by Newton's method."""
    design, beta = np.stack([x, np.ones_like(x)], 1).astype(np.float64), np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        curvature = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        beta += np.linalg.solve(curvature, design.T @ (fits - p))
    return float(beta[0]), float(beta[1])

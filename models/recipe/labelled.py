"""The labelled photos of one kind as a zero-shot task: every label of the kind against every photo of the kind."""

from dataclasses import dataclass

import numpy as np

from .photos import CUTOUTS, NATURAL, Photo

LONGEST_CUTOUT_LABEL = 24  # longer ones are sentences about the stamp, not labels


@dataclass(frozen=True)
class Task:
    """`photos` are places in the list it was made from; `answer[i]` is the place in `labels` of photo i's own label."""

    photos: np.ndarray
    labels: list[str]
    answer: np.ndarray


def task(photos: list[Photo], package: str) -> Task:
    longest = LONGEST_CUTOUT_LABEL if package == CUTOUTS else 10_000
    chosen = [i for i, p in enumerate(photos) if p.package == package and 0 < len(p.label) <= longest]
    labels = sorted({photos[i].label for i in chosen})
    return Task(np.array(chosen), labels, np.array([labels.index(photos[i].label) for i in chosen]))


def tasks(photos: list[Photo]) -> list[Task]:
    """The natural photos' task and the cut-outs' task."""
    return [task(photos, NATURAL), task(photos, CUTOUTS)]

"""Chooses the head's few free constants on the calibration half of the photo list."""

from itertools import product

import numpy as np

from . import classtexts, labelled, metrics
from .classes import Class
from .head import conse
from .photos import Photo
from .words import Table

# The table was trained on plain nouns and on this prompt alike, so one template is enough.
TEMPLATES = ["a photo of a {}"]

_HYPERNYM_WEIGHTS = (0.0, 0.15, 0.3)
_TOP_K = (10, 20, 30, 50)
_TEMPERATURES = (2.0, 2.5, 3.0)


def choose_head(photos: list[Photo], logits: dict[int, np.ndarray], classes: list[Class], table: Table) -> tuple[float, int, float]:
    """Hypernym weight, top k and temperature with the best mean reciprocal rank.

    The mean is over both directions (a photo's label, a label's photo), both kinds of photos and all resolutions: smoother than hits, which
    so few photos would decide by chance.
    """
    texts = {weight: classtexts.embed(classes, table, weight) for weight in _HYPERNYM_WEIGHTS}
    tasks = [(t, table.prompts(t.labels, TEMPLATES)) for t in labelled.tasks(photos)]

    def merit(choice: tuple[float, int, float]) -> float:
        weight, top_k, temperature = choice
        ranks = []
        for rows in logits.values():
            for task, labels in tasks:
                embeddings = conse(rows[task.photos], texts[weight], temperature, top_k)
                ranks.extend(metrics.reciprocal_ranks(labels @ embeddings.T, task.answer))
        return float(np.mean(ranks))

    return max(product(_HYPERNYM_WEIGHTS, _TOP_K, _TEMPERATURES), key=merit)

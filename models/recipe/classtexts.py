"""The text vector of each class: its name, and with falling weight the words for what it is a kind of (WordNet hypernyms).

Broader words help a label that is no class itself: a picture of a calf resembles classes that are all cattle, ungulates, mammals.
What all classes share is taken away: it would only pull every picture towards every label.
"""

import numpy as np

from . import wordnet
from .classes import Class
from .words import Table, unit

DECAY = 0.7  # of each broader word's weight against the one before


def embed(classes: list[Class], table: Table, hypernym_weight: float) -> np.ndarray:
    """Vectors `[classes, d]`; their mean is zero."""
    vectors = table.encode([c.name for c in classes])
    for row, c in enumerate(classes):
        for level, word in enumerate(wordnet.broader_words(c.synset)):
            vectors[row] += hypernym_weight * DECAY**level * table.encode([word])[0]
    vectors = unit(vectors)
    return vectors - vectors.mean(0)

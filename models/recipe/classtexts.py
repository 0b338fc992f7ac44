"""The text vector of each class: its name, and with falling weight the words for what it is a kind of (WordNet hypernyms).

Broader words help a label that is no class itself: a picture of a calf resembles classes that are all cattle, ungulates, mammals.
"""

import numpy as np

from . import wordnet
from .classes import Class
from .words import Table, unit

# Words so broad that every class has them, or that nobody labels a picture with.
_TOO_BROAD = {
    "entity", "physical entity", "object", "whole", "matter", "abstraction", "thing", "physical object", "living thing", "organism",
    "artifact", "unit", "instrumentality", "causal agent", "substance", "chordate", "vertebrate", "placental", "invertebrate",
}  # fmt: skip
_LEVELS, _DECAY = 4, 0.7


def broader_words(c: Class) -> list[str]:
    """The first word of each of the nearest broader synsets, nearest first."""
    words = [synset.words[0] for synset in wordnet.hypernyms(c.synset)[:6]]
    return [word for word in words if word not in _TOO_BROAD][:_LEVELS]


def embed(classes: list[Class], table: Table, hypernym_weight: float) -> np.ndarray:
    """Unit vectors `[classes, d]`."""
    vectors = table.encode([c.name for c in classes])
    for row, c in enumerate(classes):
        for level, word in enumerate(broader_words(c)):
            vectors[row] += hypernym_weight * _DECAY**level * table.encode([word])[0]
    return unit(vectors)

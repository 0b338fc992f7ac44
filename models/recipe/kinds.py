"""Kinds of things: broader labels of which the photo list holds several photos each, for what is taught by examples.

A photo's kind is WordNet's: the first of `KINDS` that is broader than the first sense of its label.
"""

import re
from functools import cache

from . import wordnet
from .photos import Photo

# WordNet's word for the kind, and the label that says it plainly.
KINDS = {
    "bird": "bird",
    "fish": "fish",
    "ungulate": "hoofed animal",
    "carnivore": "beast of prey",
    "insect": "insect",
    "flower": "flower",
    "edible fruit": "fruit",
    "tool": "tool",
    "musical instrument": "musical instrument",
    "clothing": "clothes",
    "structure": "building",
}


@cache
def _noun(label: str) -> str | None:
    """The longest end of a label that WordNet knows, such as the apple of a “fuji” apple."""
    plain = re.sub(r"[“”\".’,!]", "", label.lower()).split(" with ")[0]
    words = plain.split(" of ")[-1].split()
    for start in range(len(words)):
        noun = " ".join(words[start:])
        for spelling in (noun, noun.rstrip("s")):
            if spelling in wordnet.senses():
                return spelling
    return None


def kind(photo: Photo) -> str | None:
    """The label of a photo's kind."""
    noun = _noun(photo.label) if photo.label else None
    if noun is None:
        return None
    offset = wordnet.senses()[noun][0]
    broader = {word.lower() for synset in (wordnet.nouns()[offset], *wordnet.hypernyms(offset)) for word in synset.words}
    return next((label for word, label in KINDS.items() if word in broader), None)

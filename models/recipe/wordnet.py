"""WordNet 3.0 nouns: synonyms, the chain of broader terms (hypernyms), and which synset a word means first."""

from dataclasses import dataclass
from functools import cache

from . import packages

# Words so broad that every noun has them, or that nobody labels a picture with.
_TOO_BROAD = {
    "entity", "physical entity", "object", "whole", "matter", "abstraction", "thing", "physical object", "living thing", "organism",
    "artifact", "unit", "instrumentality", "causal agent", "substance", "chordate", "vertebrate", "placental", "invertebrate",
}  # fmt: skip
_LEVELS, _REACH = 4, 6


@dataclass(frozen=True)
class Synset:
    words: tuple[str, ...]
    broader: tuple[str, ...]


@cache
def nouns() -> dict[str, Synset]:
    """Every noun synset by its offset."""
    path = packages.unpacked("wordnet-base") / "usr/share/wordnet/data.noun"
    synsets = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):
            continue
        fields = line.partition("|")[0].split()
        count = int(fields[3], 16)
        words = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(count))
        first = 4 + 2 * count
        pointers = range(first + 1, first + 1 + 4 * int(fields[first]), 4)
        broader = tuple(fields[p + 1] for p in pointers if fields[p] in ("@", "@i"))
        synsets[fields[0]] = Synset(words, broader)
    return synsets


def hypernyms(offset: str) -> list[Synset]:
    """The broader synsets, nearest first, up to the root."""
    chain = []
    while nouns()[offset].broader:
        offset = nouns()[offset].broader[0]
        chain.append(nouns()[offset])
    return chain


@cache
def senses() -> dict[str, tuple[str, ...]]:
    """The synsets of each noun, by its lower-case spelling, the commonest first."""
    path = packages.unpacked("wordnet-base") / "usr/share/wordnet/index.noun"
    found = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line.startswith("  "):
            fields = line.split()
            found[fields[0].replace("_", " ")] = tuple(fields[-int(fields[2]) :])
    return found


def broader_words(offset: str) -> list[str]:
    """The first word of each of the nearest broader synsets, nearest first, at most four, without the emptiest."""
    words = [synset.words[0] for synset in hypernyms(offset)[:_REACH]]
    return [word for word in words if word not in _TOO_BROAD][:_LEVELS]

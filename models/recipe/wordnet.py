"""WordNet 3.0 nouns: synonyms, glosses and the chain of broader terms (hypernyms)."""

from dataclasses import dataclass
from functools import cache

from . import packages


@dataclass(frozen=True)
class Synset:
    words: tuple[str, ...]
    broader: tuple[str, ...]
    gloss: str


@cache
def nouns() -> dict[str, Synset]:
    """Every noun synset by its offset."""
    path = packages.unpacked("wordnet-base") / "usr/share/wordnet/data.noun"
    synsets = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):
            continue
        facts, _, gloss = line.partition("|")
        fields = facts.split()
        count = int(fields[3], 16)
        words = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(count))
        first = 4 + 2 * count
        pointers = range(first + 1, first + 1 + 4 * int(fields[first]), 4)
        broader = tuple(fields[p + 1] for p in pointers if fields[p] in ("@", "@i"))
        synsets[fields[0]] = Synset(words, broader, gloss.strip())
    return synsets


def hypernyms(offset: str) -> list[Synset]:
    """The broader synsets, nearest first, up to the root."""
    chain = []
    while nouns()[offset].broader:
        offset = nouns()[offset].broader[0]
        chain.append(nouns()[offset])
    return chain

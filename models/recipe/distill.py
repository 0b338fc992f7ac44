"""Distils the teacher's sentence embeddings into a table of word-piece vectors that are simply summed.

The start is the known one: the pieces' own embeddings, projected by PCA and weighted by smoothed inverse frequency (Arora et al., 2017).
Then the rows are trained until their sums point where the teacher's embeddings of nouns do. The teacher is centred first: a direction
that all texts share would only blur cosines. The centre is taken apart for plain nouns and for prompts, so a prompt means its noun.
A noun's target also leans towards the words for what it is a kind of, which the teacher knows only roughly: that an alpaca and a llama are
both ungulates, or pliers and a hammer both hand tools, is what lets a picture of one class answer a label that is no class.
"""

import numpy as np
import scipy.sparse

from . import classes, classtexts, minilm, wordnet
from .words import Table, kept, quantized_rows, tokenizer, unit

DIMENSION = 128
_PROMPT = "a photo of a {}"
_SIF = 1e-3
_CLASS_WEIGHT = 6.0  # of a class's words against any other noun: pictures are placed by these
_PULL = 0.1  # towards the starting rows: what few texts speak of stays where it was
_BROADER_WEIGHT = 0.15  # of the nearest broader word against the noun itself
_STEPS, _RATE = 60, 0.01


def _class_words() -> list[str]:
    """Names, synonyms and broader terms of the thousand classes."""
    words = [word for c in classes.imagenet() for word in (c.name, *c.synonyms)]
    broader = {word for c in classes.imagenet() for synset in wordnet.hypernyms(c.synset) for word in synset.words}
    return list(dict.fromkeys(words + sorted(broader)))


def _nouns() -> list[str]:
    return sorted({word for synset in wordnet.nouns().values() for word in synset.words if word.isascii()})


def _leaning(directions: np.ndarray, texts: list[str], meanings: list[str]) -> np.ndarray:
    """Unit `directions`, each leaning towards those of the broader words of the noun that it means."""
    place, leaning = {text: i for i, text in enumerate(texts)}, directions.copy()
    synset_of = {word: c.synset for c in classes.imagenet() for word in (*c.synonyms, c.name)}
    for row, noun in enumerate(meanings):
        synset = synset_of.get(noun) or next(iter(wordnet.senses().get(noun.lower(), ())), None)
        for level, word in enumerate(wordnet.broader_words(synset) if synset else ()):
            if word in place:
                leaning[row] += _BROADER_WEIGHT * classtexts.DECAY**level * directions[place[word]]
    return unit(leaning)


def _counts(texts: list[str], pieces: list[str]) -> scipy.sparse.csr_matrix:
    """How often each piece occurs in each text `[texts, pieces]`."""
    ids = [[i for i in encoded.ids if i < len(pieces)] for encoded in tokenizer(pieces).encode_batch(texts)]
    starts = np.cumsum([0] + [len(row) for row in ids])
    columns = np.concatenate([np.array(row, np.int64) for row in ids])
    return scipy.sparse.csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(texts), len(pieces)))


def _train(start: np.ndarray, counts: scipy.sparse.csr_matrix, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rows whose sums have the best weighted cosine with `targets`, by full-batch Adam (Kingma & Ba, 2015)."""
    rows, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    by_piece = counts.T.tocsr()
    for step in range(1, _STEPS + 1):
        sums = counts @ rows
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        directions = sums / lengths
        cosines = (directions * targets).sum(1, keepdims=True)
        gradient = by_piece @ (weights[:, None] * (cosines * directions - targets) / lengths) + _PULL * (rows - start)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient * gradient
        rate = _RATE * (1 - step / _STEPS) + _RATE / 100
        rows -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-6)
    return rows


def table() -> Table:
    """The trained table, in i8."""
    vocabulary = minilm.vocabulary()
    ids = kept(vocabulary)
    pieces = [vocabulary[i] for i in ids]

    words, nouns = _class_words(), _nouns()
    prompts = [_PROMPT.replace("{}", word) for word in words]
    names = len(classes.imagenet())
    plain, prompted = minilm.encode(words), minilm.encode(prompts)
    centre, prompt_centre = plain[:names].mean(0), prompted[:names].mean(0)
    taught = np.concatenate([minilm.encode(nouns) - centre, plain - centre, prompted - prompt_centre])
    texts = nouns + words + prompts
    weights = np.where(np.arange(len(texts)) < len(nouns), 1.0, _CLASS_WEIGHT).astype(np.float32)

    spread = np.concatenate([taught[: len(nouns) : 4], np.repeat(taught[len(nouns) :], 8, axis=0)])
    _, axes = np.linalg.eigh(spread.T.astype(np.float64) @ spread)
    axes = axes[:, ::-1][:, :DIMENSION]
    axes = (axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(DIMENSION)])).astype(np.float32)  # a principal axis has no sign of its own

    frequency = 1 / (np.arange(len(ids)) + 2.0)  # Zipf's law: the vocabulary is ordered by frequency
    frequency /= frequency.sum()
    start = (unit(minilm.piece_vectors(ids)) - centre) @ axes * (_SIF / (_SIF + frequency))[:, None]

    counts = _counts(texts, pieces)
    known = np.diff(counts.indptr) > 0
    targets = _leaning(unit(taught @ axes), nouns, nouns + words + words)
    rows = _train(start.astype(np.float32), counts[known], targets[known], weights[known])
    return Table(pieces, *quantized_rows(rows))

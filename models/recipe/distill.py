"""Distils the teacher's sentence embeddings into a table of word-piece vectors that are simply summed."""

import numpy as np

from . import minilm
from .words import Table, kept, quantized_rows

DIMENSION = 128
_SIF = 1e-3


def table() -> Table:
    """PCA of the pieces' own embeddings, weighted by smoothed inverse frequency (Arora et al., 2017) after Zipf's law."""
    vocabulary = minilm.vocabulary()
    ids = kept(vocabulary)
    vectors = minilm.piece_vectors(ids)
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred[::3], full_matrices=False)
    # The sign of a principal axis is free: make its largest entry positive.
    axes = axes[:DIMENSION] * np.sign(axes[np.arange(DIMENSION), np.abs(axes[:DIMENSION]).argmax(1)])[:, None]
    frequency = 1 / (np.arange(len(ids)) + 2.0)
    frequency /= frequency.sum()
    rows, scales = quantized_rows(centred @ axes.T * (_SIF / (_SIF + frequency))[:, None])
    return Table([vocabulary[i] for i in ids], rows, scales)

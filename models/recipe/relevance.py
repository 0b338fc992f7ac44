"""Where the words are: block-local cross-attention from the map's cells to the labels, as the runtime computes it.

A label's key is the class head, mixed over the classes whose texts are like the label; a cell's query is its feature vector. The constants were
chosen on composed pictures of the calibration half (see `scenes.py`), of which the report shows both halves.
"""

from dataclasses import dataclass

import numpy as np

from .head import Head, softmax
from .words import unit

SHARPNESS = 30.0  # of the classes that stand for a label
SCALE = 0.3  # of a product of cell and key
FLOOR = 7.0  # what everything else scores in every cell
BLOCK = (2, 2)  # cells
TOP_K = 16  # labels that a block attends to
SIGMA = 1.0  # of the smoothing, in cells
_REACH = 3.0  # where a Gaussian is cut, in cells
_STEPS = 16  # places of a cell at which the peak is looked for, along each axis


@dataclass(frozen=True)
class Blocks:
    """`side` of a block in cells and `top_k` of its tokens; None for each cell attending to all."""

    side: int
    top_k: int | None


def keys(head: Head, vectors: np.ndarray, sharpness: float = SHARPNESS) -> np.ndarray:
    """`[tokens, c]` for unit text vectors `[tokens, d]`."""
    weight = head.weight.astype(np.float32) * head.scale[:, None]
    weights = softmax(sharpness * vectors @ unit(head.texts.astype(np.float32)).T)
    return weights @ (weight - weight.mean(0))


def attend(cells: np.ndarray, keys: np.ndarray, blocks: Blocks, scale: float = SCALE) -> np.ndarray:
    """Weights `[h, w, tokens]` of cells `[h, w, c]`; what they lack to 1 is everything else's, which is always attended to."""
    scores = cells @ keys.T
    if blocks.top_k is not None and blocks.top_k < len(keys):
        height, width = scores.shape[:2]
        for y in range(0, height, blocks.side):
            for x in range(0, width, blocks.side):
                block = scores[y : y + blocks.side, x : x + blocks.side]
                left_out = np.argsort(-block.mean((0, 1)), kind="stable")[blocks.top_k :]
                block[..., left_out] = -np.inf
    everything_else = np.full_like(scores[..., :1], FLOOR)
    return softmax(scale * np.concatenate([scores, everything_else], -1))[..., :-1]


def _gaussians(cells: int) -> np.ndarray:
    """What each cell adds at each fine place, `[places, cells]`; nothing is added from beyond the edge."""
    distance = (np.arange(cells * _STEPS)[:, None] + 0.5) / _STEPS - (np.arange(cells)[None] + 0.5)
    weights = np.exp(-0.5 * (distance / SIGMA) ** 2) / (SIGMA * np.sqrt(2 * np.pi))
    return np.where(np.abs(distance) > _REACH, 0, weights)


def peak(grid: np.ndarray) -> tuple[float, float] | None:
    """The highest place of the smoothed grid `[h, w]`, x and y as parts of its sides; None where all is zero."""
    surface = _gaussians(grid.shape[0]) @ grid @ _gaussians(grid.shape[1]).T
    y, x = np.unravel_index(surface.argmax(), surface.shape)
    return ((x + 0.5) / surface.shape[1], (y + 0.5) / surface.shape[0]) if surface[y, x] > 0 else None

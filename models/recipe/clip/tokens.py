"""A tokenizer as a bundle has it: the files that say how texts are cut, and the pieces around a text."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tokens:
    files: dict[str, bytes]  # `vocab.txt`, and what else the pieces need
    pieces: list[str]
    encode: Callable[[str], list[int]]  # the ids of a text without what is around it
    start: str | None
    end: str
    pad: str
    unigram: dict[str, str | bool] | None = None  # the keys of `[text.unigram]`
    merges: str | None = None

    def laid(self, text: str, lengths: list[int]) -> np.ndarray:
        """A text's ids `[1, l]` as the runtime lays them out: framed, cut at the last length, filled up to the first that they fit in."""
        framing = [self.pieces.index(piece) for piece in (self.start, self.end) if piece is not None]
        framed = [*framing[:-1], *self.encode(text)[: lengths[-1] - len(framing)], framing[-1]]
        length = next(n for n in lengths if n >= len(framed))
        return np.array([framed + [self.pieces.index(self.pad)] * (length - len(framed))], np.int64)

    def fits(self, rows: int) -> None:
        """Whether the checkpoint's token embedding has a row for each piece."""
        if len(self.pieces) != rows:
            raise ValueError(f"the tokenizer has {len(self.pieces)} pieces and the checkpoint's token embedding {rows} rows; take both from one model")

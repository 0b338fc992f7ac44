"""The words: BERT's normalisation and word pieces over the bundle's own vocabulary; a word with no pieces is dropped."""

import re
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

_UNKNOWN = "[UNK]"
_PIECE = re.compile(r"(##)?[a-z0-9]+")
MAX_TOKENS = 128


def kept(vocabulary: list[str]) -> list[int]:
    """The ids of the teacher's pieces that get a row: those made of the letters and digits that normalisation leaves."""
    return [i for i, piece in enumerate(vocabulary) if _PIECE.fullmatch(piece)]


def tokenizer(pieces: list[str]) -> Tokenizer:
    """Word pieces over `pieces`, numbered by their place; what has none becomes the id `len(pieces)`."""
    ids = {piece: i for i, piece in enumerate(pieces)} | {_UNKNOWN: len(pieces)}
    made = Tokenizer(WordPiece(ids, unk_token=_UNKNOWN, max_input_chars_per_word=100))
    made.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    return made


@dataclass(frozen=True)
class Table:
    """One i8 row and one scale for each piece. Rows carry their smoothed-inverse-frequency weight."""

    pieces: list[str]
    rows: np.ndarray
    scales: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "_tokenizer", tokenizer(self.pieces))

    @property
    def dimension(self) -> int:
        return self.rows.shape[1]

    def ids(self, text: str) -> list[int]:
        """The ids of the known pieces of `text`, uncut."""
        return [i for i in self._tokenizer.encode(text).ids if i < len(self.pieces)]

    def encode(self, texts: list[str]) -> np.ndarray:
        """Unit vectors `[texts, d]`; a text without a known piece is an error."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            ids = self.ids(text)[:MAX_TOKENS]
            if not ids:
                raise ValueError(f"no known piece in {text!r}")
            vectors[row] = (self.rows[ids].astype(np.float32) * self.scales[ids, None]).sum(0)
        return unit(vectors)

    def prompts(self, labels: list[str], templates: list[str]) -> np.ndarray:
        """Each label's embedding: its prompts' mean direction."""
        return unit(sum(self.encode([t.replace("{}", label) for label in labels]) for t in templates))


def quantized_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`rows` as i8 with one f32 scale a row."""
    scales = np.maximum(np.abs(rows).max(1), 1e-9) / 127
    return np.round(rows / scales[:, None]).clip(-127, 127).astype(np.int8), scales.astype(np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)).astype(np.float32)

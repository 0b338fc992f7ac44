"""SentencePiece's unigram pieces as the bundle has them: `vocab.txt`, a piece a line, and `unigram.safetensors`, their scores and the character map."""

import base64
import json
import string
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as protocol

from .. import tensors
from .tokens import Tokens

END, UNKNOWN = "</s>", "<unk>"
_MODELS = ("spiece.model", "sentencepiece.model", "tokenizer.model")
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6  # kinds of pieces
_UNIGRAM = 1  # a kind of model


@dataclass(frozen=True)
class Unigram:
    pieces: list[str]
    scores: np.ndarray  # f32; minus infinity of a piece that is found in no text
    characters: bytes  # SentencePiece's precompiled character map

    def files(self) -> dict[str, bytes]:
        stored = {"scores": self.scores, "characters": np.frombuffer(self.characters, np.uint8)}
        return {"vocab.txt": ("\n".join(self.pieces) + "\n").encode(), "unigram.safetensors": tensors.serialize(stored)}

    def cut_to(self, rows: int) -> "Unigram":
        """Without pieces behind the last row of the token embedding, if they are found in no text: mT5's vocabulary has such."""
        if rows >= len(self.pieces) or np.isfinite(self.scores[rows:]).any():
            return self
        return Unigram(self.pieces[:rows], self.scores[:rows], self.characters)

    def reference(self) -> sentencepiece.SentencePieceProcessor:
        """SentencePiece itself over these pieces."""
        model = protocol.ModelProto()
        model.trainer_spec.model_type = _UNIGRAM
        model.trainer_spec.unk_id = self.pieces.index(UNKNOWN)
        model.trainer_spec.unk_piece = UNKNOWN
        model.trainer_spec.bos_id = model.trainer_spec.pad_id = -1
        model.trainer_spec.eos_id = self.pieces.index(END)
        model.trainer_spec.eos_piece = END
        model.normalizer_spec.precompiled_charsmap = self.characters
        for piece, score in zip(self.pieces, self.scores):
            kind = _UNKNOWN if piece == UNKNOWN else _NORMAL if np.isfinite(score) else _CONTROL
            model.pieces.add(piece=piece, score=score if kind == _NORMAL else 0, type=kind)
        return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())

    def tokens(self) -> Tokens:
        reference = self.reference()
        keys = {"file": "unigram.safetensors", "unknown": UNKNOWN, "drop_punctuation": True}
        return Tokens(self.files(), self.pieces, lambda text: reference.encode(canonical(text)), None, END, END, keys)


def canonical(text: str) -> str:
    """SigLIP's text before it is cut: lower case, no punctuation of ASCII, `_` a space, single spaces."""
    return " ".join(text.replace("_", " ").translate(str.maketrans("", "", string.punctuation)).lower().split())


def is_at(path: Path) -> bool:
    """Whether a tokenizer's file or folder is one of SentencePiece."""
    if path.is_file():
        return path.suffix == ".model"
    if any((path / name).is_file() for name in _MODELS):
        return True
    whole = path / "tokenizer.json"
    return whole.is_file() and json.loads(whole.read_text(encoding="utf-8"))["model"].get("type") == "Unigram"


def read(path: Path) -> Unigram:
    """A SentencePiece model's file, or a folder with one or with Hugging Face's `tokenizer.json`."""
    if path.is_file():
        return _of_model(path)
    for name in _MODELS:
        if (path / name).is_file():
            return _of_model(path / name)
    whole = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
    special = {token["content"] for token in whole["added_tokens"] if token["special"]}
    pieces, scores = zip(*whole["model"]["vocab"])
    if whole["model"].get("byte_fallback"):
        raise ValueError(f"{path}: expected one piece for what is unknown, got byte fallback, which SigLIP's vocabularies lack")
    found = np.array([score if piece not in special else -np.inf for piece, score in zip(pieces, scores)], np.float32)
    return _checked(path, Unigram(list(pieces), found, _characters(whole.get("normalizer"))))


def _of_model(path: Path) -> Unigram:
    model = protocol.ModelProto.FromString(path.read_bytes())
    spec = model.normalizer_spec
    if model.trainer_spec.model_type != _UNIGRAM:
        raise ValueError(f"{path}: expected unigram pieces, got another kind, as Gemma's is, which SigLIP 2 has; it has no place in a bundle yet")
    if not (spec.add_dummy_prefix and spec.remove_extra_whitespaces and spec.escape_whitespaces) or model.trainer_spec.treat_whitespace_as_suffix:
        raise ValueError(f"{path}: expected white space before each word and none in runs, as SigLIP's vocabularies have it, got another rule")
    if any(piece.type == _BYTE for piece in model.pieces):
        raise ValueError(f"{path}: expected one piece for what is unknown, got byte fallback, which SigLIP's vocabularies lack")
    scores = np.array([piece.score if piece.type == _NORMAL else -np.inf for piece in model.pieces], np.float32)
    return _checked(path, Unigram([piece.piece for piece in model.pieces], scores, spec.precompiled_charsmap))


def _checked(path: Path, unigram: Unigram) -> Unigram:
    for piece in (END, UNKNOWN):
        if piece not in unigram.pieces:
            raise ValueError(f"{path}: expected the piece {piece}, got none; SigLIP's vocabularies have it")
    unigram.scores[unigram.pieces.index(UNKNOWN)] = -np.inf
    return unigram


def _characters(normalizer: dict | None) -> bytes:
    """The precompiled map among Hugging Face's normalizers."""
    if normalizer is None:
        return b""
    if normalizer["type"] == "Precompiled":
        return base64.b64decode(normalizer["precompiled_charsmap"])
    return next(filter(None, map(_characters, normalizer.get("normalizers", []))), b"")


def train(texts: list[str], pieces: int) -> Unigram:
    """A small vocabulary with T5's special pieces and character map, for models that have learned nothing."""
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([canonical(text) for text in texts]),
        model_writer=model,
        vocab_size=pieces,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    made = protocol.ModelProto.FromString(model.getvalue())
    scores = np.array([piece.score if piece.type == _NORMAL else -np.inf for piece in made.pieces], np.float32)
    return Unigram([piece.piece for piece in made.pieces], scores, made.normalizer_spec.precompiled_charsmap)

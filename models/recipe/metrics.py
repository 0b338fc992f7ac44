"""What a set of labelled photos says about an encoder pair. A score matrix is `[labels, photos]`, higher is better."""

from math import comb

import numpy as np


def zero_shot_top1(scores: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """For each photo, whether its own label scores best of all."""
    return scores.argmax(0) == answer


def recall(scores: np.ndarray, answer: np.ndarray, k: int) -> np.ndarray:
    """For each label as the query, whether one of its photos is among the best `k`."""
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return (answer[ranked] == np.arange(len(scores))[:, None]).any(1)


def reciprocal_ranks(scores: np.ndarray, answer: np.ndarray) -> tuple[float, float]:
    """Mean reciprocal rank of each photo's label among labels, and of each label's first photo among photos."""
    own = scores[answer, np.arange(len(answer))]
    label_rank = 1 + (scores > own).sum(0)
    matches = answer[None, :] == np.arange(len(scores))[:, None]
    best = np.where(matches, scores, -np.inf).max(1, keepdims=True)
    photo_rank = 1 + (scores > best).sum(1)
    return float((1 / label_rank).mean()), float((1 / photo_rank).mean())


def in_top(logits: np.ndarray, right: list[tuple[int, ...]], k: int) -> np.ndarray:
    """For each photo, whether one of its right classes is among the best `k` logits."""
    ranked = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return np.array([bool(set(row) & set(classes)) for row, classes in zip(ranked.tolist(), right)])


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar test: the chance of a split as uneven as this when neither is better."""
    n, k = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0


def row_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))

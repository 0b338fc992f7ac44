"""Soft prompts: directions in the text space that are added to a label's embedding, learnt from a handful of labelled pictures.

The text encoder is a table whose rows are summed, so context vectors before a label (Zhou et al., "Learning to Prompt for Vision-Language Models",
IJCV 2022) can only add up to one offset; it is learnt as such, several of them, each a prompt of its own whose embeddings are averaged as those
of templates are. Encoder and table are frozen; plain numpy, the same on every run.
"""

from dataclasses import dataclass

import numpy as np

from .head import softmax
from .labelled import Task
from .words import unit

COUNT, _STEPS, _RATE, _SEED = 4, 300, 0.01, 5
_DECAYS = (0.01, 0.1, 1.0)
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Lesson:
    """Pictures `[n, d]`, labels `[labels, d]` and which label each picture has."""

    pictures: np.ndarray
    labels: np.ndarray
    answer: np.ndarray


def soft(labels: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The labels' embeddings with each offset, averaged."""
    return unit(unit(labels[None] + offsets[:, None]).mean(0))


def mixed(hard: np.ndarray, labels: np.ndarray, offsets: np.ndarray, mix: float) -> np.ndarray:
    """Hard prompts' embeddings and soft ones' by the mix, as the runtime makes them."""
    return unit((1 - mix) * hard + mix * soft(labels, offsets))


def _normal(vectors: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient before a normalisation from the one behind it."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    direction = vectors / length
    return (gradient - (gradient * direction).sum(-1, keepdims=True) * direction) / length


def learn(lessons: list[Lesson], logit_scale: float, decay: float) -> np.ndarray:
    """Offsets `[COUNT, d]` that make the pictures' labels likely, by Adam on the mean cross-entropy and `decay` times their mean square length."""
    dimension = lessons[0].labels.shape[1]
    offsets = np.random.default_rng(_SEED).normal(0, 0.02, (COUNT, dimension))
    first, second = np.zeros_like(offsets), np.zeros_like(offsets)
    total = sum(len(lesson.answer) for lesson in lessons)
    for step in range(1, _STEPS + 1):
        gradient = 2 * decay * offsets / COUNT
        for lesson in lessons:
            moved = lesson.labels[None] + offsets[:, None]
            mean = (moved / np.linalg.norm(moved, axis=-1, keepdims=True)).mean(0)
            error = softmax(logit_scale * lesson.pictures @ unit(mean).T)
            error[np.arange(len(lesson.answer)), lesson.answer] -= 1
            behind = logit_scale * error.T @ lesson.pictures / total
            gradient = gradient + _normal(moved, _normal(mean, behind)[None] / COUNT).sum(1)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        offsets = offsets - _RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return offsets.astype(np.float32)


def lesson(task: Task, embeddings: dict[int, np.ndarray], table, chosen=None) -> Lesson:
    """The pictures of a task at every resolution; `chosen`: those of its labels alone."""
    keep = np.isin(task.answer, np.arange(len(task.labels)) if chosen is None else chosen)
    pictures = np.concatenate([rows[task.photos[keep]] for rows in embeddings.values()])
    return Lesson(pictures, table.prompts(task.labels, ["{}"]), np.tile(task.answer[keep], len(embeddings)))


def choose(tasks: list[Task], embeddings: dict[int, np.ndarray], table, templates: list[str], logit_scale: float) -> dict:
    """Decay and mix on the calibration half: learnt on one half of its labels, asked for the other, and the other way round."""
    grid: dict = {}
    for decay in _DECAYS:
        hits: dict = {}
        for fold in (0, 1):
            parts = [np.arange(len(task.labels))[fold::2] for task in tasks]
            offsets = learn([lesson(task, embeddings, table, part) for task, part in zip(tasks, parts)], logit_scale, decay)
            for task, part in zip(tasks, parts):
                hard, bare = table.prompts(task.labels, templates), table.prompts(task.labels, ["{}"])
                seen = np.isin(task.answer, part)
                for mix in MIXES:
                    labels = mixed(hard, bare, offsets, mix)
                    right = np.mean([(rows[task.photos] @ labels.T).argmax(1) == task.answer for rows in embeddings.values()], axis=0)
                    hits.setdefault((mix, "seen"), []).append(right[seen])
                    hits.setdefault((mix, "unseen"), []).append(right[~seen])
        for mix in MIXES:
            seen, unseen = (float(np.concatenate(hits[mix, of]).mean()) for of in ("seen", "unseen"))
            grid[decay, mix] = (seen, unseen)
    # Labels that a user asks for are unseen ones.
    decay, mix = max(grid, key=lambda key: (round(grid[key][1], 4), -key[1]))
    rows = [{"decay": d, "mix": m, "seen": s, "unseen": u} for (d, m), (s, u) in grid.items()]
    return {"decay": decay, "mix": mix, "grid": rows}

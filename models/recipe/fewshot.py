"""Few-shot labels: the reference of the runtime's key cache, what was chosen for it, and how well it does.

A picture's pooled features are its key; a label's score is its words' cosine and `weight * exp(sharpness * (similarity - 1))` for the nearest of
its keys. The space of the keys, the resolution and the four constants were chosen on the calibration half, by `choose`, whose figures the report
shows; rows of the report teach and ask photos of the held-out half alone, and never ask one that was taught.
"""

import random
from dataclasses import dataclass

import numpy as np
import onnxruntime
from PIL import Image, ImageEnhance, ImageOps

from . import kinds, pictures, trials
from .head import Head, softmax
from .photos import CUTOUTS, NATURAL, Photo
from .words import Table, unit

RESOLUTION = 160
WEIGHT, SHARPNESS = 3.0, 8.0
SLOPE, INTERCEPT = 18.0, -9.5

SHOTS = (1, 2, 4, 8)
_DRAWS, _SEED = 40, 11
_WEIGHTS, _SHARPNESSES = (0.5, 1.0, 2.0, 3.0, 4.0), (2.0, 4.0, 6.0, 8.0, 12.0)
# As in runtime/ocellus/src/examples/blend.rs.
_WEIGHT_FACTORS, _SHARPNESS_FACTORS, _LEAST_GAIN = (0.25, 0.5, 1.0, 2.0), (0.5, 0.75, 1.0, 1.5), 0.05
_APART = 0.2


@dataclass(frozen=True)
class Question:
    """Photos and the labels among which each is to find its own; labels of several photos may be taught."""

    name: str
    photos: np.ndarray
    labels: list[str]
    answer: np.ndarray


def questions(listed: list[Photo], calibrates: bool) -> list[Question]:
    """What one half can be asked: the kinds of all photos, and the natural photos' own labels."""
    half = [i for i, p in enumerate(listed) if p.calibrates == calibrates]
    by_kind = [(i, kinds.kind(listed[i])) for i in half if listed[i].package in (NATURAL, CUTOUTS)]
    own = [(i, listed[i].label) for i in half if listed[i].package == NATURAL]
    made = []
    for name, pairs in (("kinds", by_kind), ("own labels", own)):
        pairs = [(i, label) for i, label in pairs if label]
        labels = sorted({label for _, label in pairs})
        made.append(Question(name, np.array([i for i, _ in pairs]), labels, np.array([labels.index(label) for _, label in pairs])))
    return made


def int8_keys(features: np.ndarray) -> np.ndarray:
    """Unit keys as they are kept: one scale a row, 127 steps to a side."""
    return unit(np.round(features / np.abs(features).max(1, keepdims=True) * 127))


def nearest(similarity: np.ndarray, owners: np.ndarray, labels: int) -> np.ndarray:
    """The largest of each label's similarities `[photos, labels]`; minus infinity where a label has no key."""
    best = np.full((len(similarity), labels), -np.inf)
    for label in np.unique(owners):
        best[:, label] = similarity[:, owners == label].max(1)
    return best


def scores(cosines: np.ndarray, near: np.ndarray, weight: float, sharpness: float) -> np.ndarray:
    return cosines + weight * np.exp(sharpness * (near - 1))


def _loss(logit_scale: float, scored: np.ndarray, answer: np.ndarray) -> float:
    return float(-np.log(softmax(logit_scale * scored)[np.arange(len(answer)), answer] + 1e-30).mean())


def leave_one_out(cosines: np.ndarray, keys: np.ndarray, owners: np.ndarray, logit_scale: float) -> tuple[float, float]:
    """Weight and sharpness by leaving each example out; `cosines` are those of the examples with the taught labels.

    Each is left out twice: alone, and with all others of its label, as if that were known by its words only. The second keeps examples from
    taking photos of labels that were not taught.
    """
    several = np.bincount(owners)[owners] > 1
    if cosines.shape[1] < 2 or not several.any():
        return WEIGHT, SHARPNESS
    similarity = keys @ keys.T
    np.fill_diagonal(similarity, -np.inf)
    alone = nearest(similarity, owners, cosines.shape[1])[several]
    apart = np.where(np.arange(alone.shape[1]) == owners[several][:, None], -np.inf, alone)

    def loss(weight, sharpness):
        parts = (_loss(logit_scale, scores(cosines[several], near, weight, sharpness), owners[several]) for near in (alone, apart))
        return sum(part * share for part, share in zip(parts, (1 - _APART, _APART)))

    best, least = (WEIGHT, SHARPNESS), loss(WEIGHT, SHARPNESS) - _LEAST_GAIN / several.sum() ** 0.5
    for factor in _WEIGHT_FACTORS:
        for other in _SHARPNESS_FACTORS:
            tried = (WEIGHT * factor, SHARPNESS * other)
            if loss(*tried) < least:
                best, least = tried, loss(*tried)
    return best


@dataclass(frozen=True)
class Lesson:
    """One draw: what was taught, and what the photos that were not find."""

    taught: np.ndarray  # photos
    owners: np.ndarray  # their labels
    asked: np.ndarray  # photos
    answer: np.ndarray
    known: np.ndarray  # whether the photo's label was taught


def lessons(question: Question, shots: int) -> list[Lesson]:
    """Draws of `shots` examples for each label that has more photos than one; of a label with fewer, all but one photo."""
    made, chance = [], np.random.default_rng(_SEED)
    counts = np.bincount(question.answer, minlength=len(question.labels))
    for _ in range(_DRAWS):
        taken = [chance.permutation(np.flatnonzero(question.answer == label))[: min(shots, counts[label] - 1)] for label in range(len(counts))]
        taken = np.concatenate(taken)
        rest = np.setdiff1d(np.arange(len(question.answer)), taken)
        known = counts[question.answer[rest]] > 1
        made.append(Lesson(question.photos[taken], question.answer[taken], question.photos[rest], question.answer[rest], known))
    return made


@dataclass(frozen=True)
class Space:
    """What photos are compared by: words' space, and the keys' by resolution."""

    embeddings: dict[int, np.ndarray]
    keys: dict[int, np.ndarray]
    table: Table
    templates: list[str]
    logit_scale: float


def measure(question: Question, space: Space, resolution: int, blend=None) -> list[dict]:
    """A row for words alone and one for each number of shots. `blend`: these constants instead of leave-one-out."""
    text = space.table.prompts(question.labels, space.templates)
    cosines = space.embeddings[resolution] @ text.T
    counts = np.bincount(question.answer, minlength=len(question.labels))
    right = cosines[question.photos].argmax(1) == question.answer
    taught = counts[question.answer] > 1
    rows = [_row(0, [right[taught].mean()], [right[~taught].mean()] if (~taught).any() else [], taught.sum(), (~taught).sum())]
    for shots in SHOTS:
        known, other, losses = [], [], []
        for lesson in lessons(question, shots):
            keys = space.keys[RESOLUTION][lesson.taught]
            near = nearest(space.keys[resolution][lesson.asked] @ keys.T, lesson.owners, len(question.labels))
            taught_labels, owners = np.unique(lesson.owners, return_inverse=True)
            own = (space.embeddings[RESOLUTION][lesson.taught] @ text[taught_labels].T)
            chosen = blend or leave_one_out(own, keys, owners, space.logit_scale)
            scored = scores(cosines[lesson.asked], near, *chosen)
            hit = scored.argmax(1) == lesson.answer
            losses.append(_loss(space.logit_scale, scored, lesson.answer))
            known.append(hit[lesson.known].mean())
            if (~lesson.known).any():
                other.append(hit[~lesson.known].mean())
        rows.append(_row(shots, known, other, int(lesson.known.sum()), int((~lesson.known).sum())) | {"loss": float(np.mean(losses))})
    return rows


def _row(shots, known, other, asked, others) -> dict:
    return {
        "shots": shots,
        "taught_top1": float(np.mean(known)),
        "spread": float(np.std(known)),
        "taught_photos": int(asked),
        "untaught_top1": float(np.mean(other)) if len(other) else None,
        "untaught_photos": int(others),
    }


def _view(picture: Image.Image, chance: random.Random) -> np.ndarray:
    """The encoder's input from another look at a picture: framed, turned, mirrored and lit in another way."""
    side = chance.uniform(0.55, 0.95) * min(picture.size)
    left, top = (chance.uniform(0, length - side) for length in picture.size)
    seen = picture.resize((RESOLUTION, RESOLUTION), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    seen = ImageOps.mirror(seen) if chance.random() < 0.5 else seen
    seen = seen.rotate(chance.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
    seen = ImageEnhance.Brightness(seen).enhance(chance.uniform(0.6, 1.4))
    return pictures.normalized(ImageEnhance.Color(seen).enhance(chance.uniform(0.6, 1.3)))


@dataclass(frozen=True)
class Views:
    """Features of other looks at the natural photos, `[photos, looks, c]`."""

    photos: np.ndarray
    features: np.ndarray

    @classmethod
    def of(cls, encoder: onnxruntime.InferenceSession, listed: list[Photo], calibrates: bool, looks: int = 3) -> "Views":
        chance = random.Random(_SEED)
        chosen = [i for i, p in enumerate(listed) if p.package == NATURAL and p.calibrates == calibrates]
        made = []
        for i in chosen:
            picture = listed[i].load()
            made.append(np.concatenate([encoder.run(["features"], {"image": _view(picture, chance)})[0] for _ in range(looks)]))
        return cls(np.array(chosen), np.stack(made))


def same_thing(views: Views, keys: np.ndarray, of) -> dict:
    """How often the nearest key of all photos is that of the photo that a look is of; `of` makes keys of features."""
    own = keys[views.photos]
    similarity = np.stack([of(views.features[:, look]) @ own.T for look in range(views.features.shape[1])])
    hit = similarity.argmax(2) == np.arange(len(own))
    same = similarity[:, np.arange(len(own)), np.arange(len(own))]
    other = similarity[0][~np.eye(len(own), dtype=bool)]
    return {"top1": float(hit.mean()), "same_median": float(np.median(same)), "other_p99": float(np.quantile(other, 0.99))}


def verdict(views: Views, keys: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the match probability: a look at a taught photo, against looks at others; one to eight keys."""
    chance, x, fits = np.random.default_rng(_SEED), [], []
    own = keys[views.photos]
    for look in range(views.features.shape[1]):
        similarity = int8_keys(views.features[:, look]) @ own.T
        for i, row in enumerate(similarity):
            others = np.delete(row, i)
            for count in (1, 2, 4, 8):
                drawn = chance.choice(others, count, replace=False)
                x += [max(row[i], drawn[1:].max(initial=-1)), drawn.max()]
                fits += [True, False]
    slope, intercept = trials.fit_logistic(np.array(x), np.array(fits))
    return slope, intercept


def choose(listed: list[Photo], space: Space, features: dict[int, np.ndarray], head: Head, views: Views) -> dict:
    """What the calibration half says about the keys' space and the constants."""
    asked = questions(listed, True)
    spaces = {"pooled features": int8_keys, "text space": lambda f: int8_keys(head.embed(f))}
    by_space = {}
    for name, of in spaces.items():
        made = Space(space.embeddings, {r: of(f) for r, f in features.items()}, space.table, space.templates, space.logit_scale)
        row = {q.name: [measure(q, made, RESOLUTION)[1 + i]["taught_top1"] for i in range(len(SHOTS))] for q in asked}
        by_space[name] = row | {"same_thing": same_thing(views, made.keys[RESOLUTION], of)}
    grid = {}
    for weight in _WEIGHTS:
        for sharpness in _SHARPNESSES:
            rows = [row for q in asked for row in measure(q, space, RESOLUTION, (weight, sharpness))[1:]]
            grid[weight, sharpness] = float(np.mean([row["loss"] for row in rows]))
    weight, sharpness = min(grid, key=grid.get)
    slope, intercept = verdict(views, space.keys[RESOLUTION])
    return {
        "spaces": by_space,
        "best": {"weight": weight, "sharpness": sharpness, "loss": grid[weight, sharpness], "shipped_loss": grid.get((WEIGHT, SHARPNESS))},
        "verdict": {"slope": slope, "intercept": intercept},
    }

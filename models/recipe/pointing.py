"""How well relevance tells where things are, and what block-local attention loses against global attention."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from . import metrics, pictures, relevance, scenes
from .head import Head
from .labelled import Task
from .photos import Photo
from .relevance import Blocks
from .tables import table
from .words import Table, unit

_SCENES = 100  # for each half and number of objects
_SEEDS = {True: 1, False: 2}  # by half
_COUNTS = (2, 4)
_SIDES, _TOP_KS = (1, 2, 3, 4, 7), (1, 2, 4, 8, 16)
_BLENDS = (0.1, 0.3, 1.0)  # weights of the local score beside the cosine
_GLOBAL = Blocks(1, None)
_SHIPPED = Blocks(relevance.BLOCK[0], relevance.TOP_K)


@dataclass(frozen=True)
class Pointing:
    """`part`: the peak lies in the object's half or quarter of the scene; `thing`: in its box."""

    part: float
    thing: float


@dataclass(frozen=True)
class Maps:
    """The encoder's maps `[h, w, c]` of scenes and photos, by resolution."""

    scenes: dict[tuple[bool, int], list[tuple[list[scenes.Thing], dict[int, np.ndarray]]]]
    photos: list[dict[int, np.ndarray]]


def _map(session: onnxruntime.InferenceSession, pixels: np.ndarray) -> np.ndarray:
    return session.run(["map"], {"image": pixels})[0][0].transpose(1, 2, 0)


def _whole(picture: Image.Image, resolution: int) -> np.ndarray:
    """The encoder's input from all of the picture, as `--crop squash` has it."""
    small = picture.resize((resolution, resolution), Image.Resampling.BICUBIC)
    return pictures.normalized(small)


def observe(session: onnxruntime.InferenceSession, listed: list[Photo], task: Task) -> Maps:
    composed = {}
    for half, seed in _SEEDS.items():
        objects = scenes.objects([p for p in listed if p.calibrates == half])
        for count in _COUNTS:
            made = scenes.compose(objects, count, _SCENES, seed)
            composed[half, count] = [(s.things, {r: _map(session, _whole(s.picture, r)) for r in pictures.RESOLUTIONS}) for s in made]
    loaded = (listed[i].load() for i in task.photos)
    return Maps(composed, [{r: _map(session, pictures.prepare(photo, r)) for r in pictures.RESOLUTIONS} for photo in loaded])


def _is_in_part(peak: tuple[float, float], thing: scenes.Thing, count: int) -> bool:
    axes = range(2 if count == 4 else 1)
    return all((peak[axis] > 0.5) == (thing.centre[axis] > 0.5) for axis in axes)


def _is_on(peak: tuple[float, float], thing: scenes.Thing) -> bool:
    left, top, right, bottom = thing.box
    return left <= peak[0] <= right and top <= peak[1] <= bottom


def _point(shown: list, count: int, resolution: int, weights) -> Pointing:
    """`weights(map, labels of the scene)` are the grids `[labels, h, w]` of those labels."""
    part, on = [], []
    for things, by_resolution in shown:
        grids = weights(by_resolution[resolution], [thing.label for thing in things])
        for thing, peak in zip(things, map(relevance.peak, grids)):
            part.append(peak is not None and _is_in_part(peak, thing, count))
            on.append(peak is not None and _is_on(peak, thing))
    return Pointing(float(np.mean(part)), float(np.mean(on)))


def _cost(side: int, channels: int, labels: int, blocks: Blocks) -> dict:
    """Of one map: products of choosing and of attending, exponentials."""
    everything = blocks.top_k is None or blocks.top_k >= labels
    attended = (labels if everything else blocks.top_k) + 1
    chosen = 0 if everything else (-(-side // blocks.side)) ** 2 * labels
    return {"macs": channels * (chosen + side * side * attended), "exponentials": side * side * attended}


class _Asker:
    """Relevance of labels whose keys are made once."""

    def __init__(self, head: Head, table: Table, templates: list[str], labels: list[str]):
        self._at = {label: i for i, label in enumerate(labels)}
        self.keys = relevance.keys(head, table.prompts(labels, templates))

    def among_all(self, blocks: Blocks):
        """Labels compete with all others."""
        return lambda cells, own: relevance.attend(cells, self.keys, blocks)[..., [self._at[o] for o in own]].transpose(2, 0, 1)

    def among_own(self):
        """Labels compete with those of the scene alone."""
        return lambda cells, own: relevance.attend(cells, self.keys[[self._at[o] for o in own]], _GLOBAL).transpose(2, 0, 1)


def _pieces(head: Head, table: Table, templates: list[str]):
    """Labels and their word pieces as tokens; a label's relevance is the sum of its tokens' weights."""

    def weights(cells: np.ndarray, own: list[str]) -> np.ndarray:
        vectors, owner = [table.prompts(own, templates)], list(range(len(own)))
        for i, label in enumerate(own):
            ids = table.ids(label)
            vectors.append(unit(table.rows[ids].astype(np.float32) * table.scales[ids, None]))
            owner += [i] * len(ids)
        shares = relevance.attend(cells, relevance.keys(head, np.concatenate(vectors)), _GLOBAL)
        return np.stack([shares[..., np.array(owner) == i].sum(-1) for i in range(len(own))])

    return weights


def _cosines(head: Head, table: Table, templates: list[str]):
    """Every cell mapped into the text space by the whole head: what the keys are measured against."""

    def weights(cells: np.ndarray, own: list[str]) -> np.ndarray:
        embeddings = head.embed(cells.reshape(-1, cells.shape[-1]))
        cosines = np.maximum(table.prompts(own, templates) @ embeddings.T, 0)
        return cosines.reshape(len(own), *cells.shape[:2])

    return weights


def measure(maps: Maps, head: Head, table: Table, templates: list[str], task: Task, embeddings: dict[int, np.ndarray], calibrates: np.ndarray) -> dict:
    """`embeddings` and `calibrates` are those of the task's photos."""
    names = sorted({thing.label for shown in maps.scenes.values() for things, _ in shown for thing in things})
    asker = _Asker(head, table, templates, names)

    def pointing(resolution: int, weights) -> dict:
        rows = {}
        for (half, count), shown in maps.scenes.items():
            rows[f"{'calibration' if half else 'held-out'}, {count} objects"] = asdict(_point(shown, count, resolution, weights))
        return rows

    ways = {
        "label keys, attention among the scene's labels": asker.among_own(),
        "the same, word pieces beside the labels": _pieces(head, table, templates),
        "cosines of each cell in the text space, no attention": _cosines(head, table, templates),
        f"label keys, global attention among {len(names)} labels": asker.among_all(_GLOBAL),
        f"label keys, blocks as shipped among {len(names)} labels": asker.among_all(_SHIPPED),
    }
    keys, labels = relevance.keys(head, table.prompts(task.labels, templates)), table.prompts(task.labels, templates)

    def local(resolution: int, blocks: Blocks) -> np.ndarray:
        return np.stack([relevance.attend(shown[resolution], keys, blocks).max((0, 1)) for shown in maps.photos], 1)

    rows, finest = [], pictures.RESOLUTIONS[-1]
    side, channels = maps.photos[0][finest].shape[1:]
    for blocks in [_GLOBAL, *(Blocks(s, k) for s in _SIDES for k in _TOP_KS)]:
        scores = local(finest, blocks)
        rows.append(
            asdict(blocks)
            | {
                "accuracy": float(metrics.zero_shot_top1(scores, task.answer).mean()),
                "recall_at_1": float(metrics.recall(scores, task.answer, 1).mean()),
                "pointing": pointing(finest, asker.among_all(blocks)),
            }
            | _cost(side, channels, len(task.labels), blocks)
        )
    blends = []
    for resolution in pictures.RESOLUTIONS:
        cosine, shares = labels @ embeddings[resolution].T, local(resolution, _SHIPPED)
        plain = metrics.zero_shot_top1(cosine, task.answer)
        for weight in _BLENDS:
            mixed = metrics.zero_shot_top1(cosine + weight * shares, task.answer)
            for half in (True, False):
                a, b = plain[calibrates == half], mixed[calibrates == half]
                lost, gained = int((a & ~b).sum()), int((b & ~a).sum())
                blends.append(
                    {"resolution": resolution, "weight": weight, "calibration": half, "plain": float(a.mean()), "blended": float(b.mean())}
                    | {"lost": lost, "gained": gained, "mcnemar_p": metrics.mcnemar_p(lost, gained)}
                )
    return {
        "labels": len(names),
        "macs_of_head_at_each_cell": side * side * head.weight.size,
        "task_labels": len(task.labels),
        "photos": len(task.photos),
        "ways": {name: {str(r): pointing(r, weights) for r in pictures.RESOLUTIONS} for name, weights in ways.items()},
        "blocks": rows,
        "blends": blends,
    }


_INTRO = """# Relevance, measured

Made by `cargo xtask models eval`; `relevance.json` holds the same figures. Inference is onnxruntime's on the INT8 encoder, attention that of
`models/recipe/relevance.py`, in f32.

**Scenes.** {scenes} seeded pictures for each half and number of objects: cut-outs of the evaluation list, two side by side or four in the quarters, on
photographs that the list does not name or on white; all of the picture is seen. A peak is right *in its part* if it lies in its object's half or
quarter (chance 1/2, 1/4), and *on the thing* if it lies in the object's box. Sharpness, scale, floor and smoothing were chosen on scenes of the calibration half,
block and top k by the table below, where both halves stand.
"""


def _cells(rows: dict) -> list[str]:
    return [f"{rows[f'{half}, {count} objects'][k]:.3f}" for half in ("calibration", "held-out") for count in _COUNTS for k in ("part", "thing")]


def _quarter(rows: list[dict]) -> str:
    """What the rows lose that cost at most a quarter of the first, which is global."""
    whole, cheap = rows[0], [r for r in rows[1:] if r["macs"] * 4 <= rows[0]["macs"]]

    def points(row: dict) -> float:
        return sum(row["pointing"][f"held-out, {count} objects"]["part"] for count in _COUNTS) / len(_COUNTS)

    def gained(row: dict) -> list[float]:
        return [100 * (row[k] - whole[k]) for k in ("accuracy", "recall_at_1")]

    labels, peaks = max(cheap, key=lambda row: min(gained(row))), max(cheap, key=points)
    accuracy, recall = gained(labels)
    return (
        f"At a quarter of the cost or less: {labels['side']} x {labels['side']} and top {labels['top_k']} change accuracy by {accuracy:+.1f} and R@1 by {recall:+.1f} points; "
        f"peaks lose {100 * (points(whole) - points(peaks)):.1f} points of *part* (held-out, both numbers of objects) with {peaks['side']} x {peaks['side']} and top {peaks['top_k']}, the best of them. "
        "A label that no block picks has no peak, which counts as wrong here: pointing wants a large top k, ranking does not.\n"
    )


_HALVES = [f"{half}, {count}: {what}" for half in ("calibration", "held-out") for count in _COUNTS for what in ("part", "thing")]


def render(result: dict) -> str:
    parts = [_INTRO.format(scenes=_SCENES), "## Ways to ask\n"]
    shipped = next(r for r in result["blocks"] if (r["side"], r["top_k"]) == (_SHIPPED.side, _SHIPPED.top_k))
    parts.append(
        f"The head at each cell, which the cosines need, takes {result['macs_of_head_at_each_cell'] / 1e6:.1f} M MACs at {pictures.RESOLUTIONS[-1]}; keys that hold the labels' classes "
        f"alone take {shipped['macs'] / 1e6:.1f} M for {result['task_labels']} labels in blocks as shipped, and no head.\n"
    )
    parts.append(table(["way", "resolution", *_HALVES], [[n, r, *_cells(p)] for n, by in result["ways"].items() for r, p in by.items()]))
    parts.append("## Block-local against global\n")
    parts.append(
        f"At {pictures.RESOLUTIONS[-1]}. *Accuracy* and *R@1*: the local score alone (a label's largest share at any cell) over the {result['photos']} natural photos and "
        f"{result['task_labels']} labels. Pointing: each object's label among {result['labels']} labels. MACs and exponentials: one map and {result['task_labels']} labels, choosing included; "
        "*cost* is the MACs over those of global attention.\n"
    )
    whole = result["blocks"][0]["macs"]
    rows = []
    for r in result["blocks"]:
        name = ["all cells, all labels", ""] if r["top_k"] is None else [f"{r['side']} x {r['side']}", r["top_k"]]
        figures = [f"{r['accuracy']:.3f}", f"{r['recall_at_1']:.3f}", *_cells(r["pointing"])]
        rows.append([*name, *figures, f"{r['macs'] / 1e6:.2f} M", f"{r['macs'] / whole:.2f}", r["exponentials"]])
    parts.append(table(["block", "top k", "accuracy", "R@1", *_HALVES, "MACs", "cost", "exponentials"], rows))
    parts.append(_quarter(result["blocks"]))
    parts.append("## A local score beside the cosine\n")
    parts.append(
        "Zero-shot top-1 of the natural photos with `cosine + weight * local score`, blocks as shipped, each half against all labels. Photos lost and gained, with the exact "
        "two-sided McNemar p. It is off: on the calibration half no weight gains more than chance.\n"
    )
    rows = [
        [r["resolution"], str(r["weight"]), "calibration" if r["calibration"] else "held-out", f"{r['plain']:.3f}", f"{r['blended']:.3f}", f"{r['lost']} / {r['gained']}", f"{r['mcnemar_p']:.3f}"]
        for r in result["blends"]
    ]
    parts.append(table(["resolution", "weight", "half", "top-1", "blended", "lost / gained", "p"], rows))
    return "\n".join(parts)


def write(result: dict, out: Path) -> None:
    (out / "relevance.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / "relevance.md").write_text(render(result))

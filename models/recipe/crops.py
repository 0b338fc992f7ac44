"""How a wide frame is best made square: the runtime's crop modes on the wide photos of the list, and on frames of two scenes.

A photographer puts the thing in the middle and a camera on a wall does not. So two kinds of frames are asked about: wide photos as
they are, and frames that show a photo's middle in their left half and another's in their right half, where nothing is in the
middle. Such a frame is answered rightly by the label of either.

The mode is chosen on the calibration half; its tie-break is the number of views, each of which is an inference.
"""

import random
from collections.abc import Callable

import numpy as np
from PIL import Image

from . import calibrate, labelled, metrics, photos, pictures, runtime
from .calibrate import Verdict
from .labelled import Task
from .photos import NATURAL, Photo
from .tables import table

_WIDE = {"4:3 and wider": 1.32, "16:9 and wider": 1.77}  # width by height; photos of 4:3 are often a pixel short of it
_FRAMES = {"4:3": (480, 360), "16:9": (640, 360)}
_MOST_TILES = 4
_PAIRS_SEED, _ROUNDS = 11, 2

Box = tuple[float, float, float, float]
Seen = dict[str, dict[int, list[np.ndarray]]]  # by mode and resolution, for each frame its views' embeddings `[views, d]`


def _centre(size: tuple[int, int]) -> list[Box]:
    return [pictures.centre_square(size)]


def _squash(size: tuple[int, int]) -> list[Box]:
    return [(0, 0, *size)]


def _tiles(size: tuple[int, int]) -> list[Box]:
    """Squares of the short side from one end of the long side to the other, as few as cover it."""
    short, long = min(size), max(size)
    count = min(-(-long // short), _MOST_TILES)
    offsets = [tile * (long - short) / max(count - 1, 1) for tile in range(count)]
    wide = size[0] > size[1]
    return [(o, 0, o + short, short) if wide else (0, o, short, o + short) for o in offsets]


MODES: dict[str, Callable[[tuple[int, int]], list[Box]]] = {"centre": _centre, "squash": _squash, "tiles": _tiles}


def _seen(bundle, frames: list[Image.Image]) -> Seen:
    encoder, head = runtime.session(bundle.encoder), bundle.head

    def embed(frame: Image.Image, mode: str, resolution: int) -> np.ndarray:
        views = [pictures.view(frame, resolution, box) for box in MODES[mode](frame.size)]
        return head.embed(np.concatenate([encoder.run(["features"], {"image": x})[0] for x in views]))

    return {m: {r: [embed(f, m, r) for f in frames] for r in pictures.RESOLUTIONS} for m in MODES}


def _scores(labels: np.ndarray, embeddings: list[np.ndarray]) -> np.ndarray:
    """`[labels, frames]`: of several views a label's best cosine counts, as in the runtime."""
    return np.stack([calibrate.best_cosines(labels, views) for views in embeddings], 1)


def _pairs(listed: list[Photo], task: Task) -> list[tuple[int, int]]:
    """Every photo of the task once on the left and once on the right, beside one of another label."""
    chance, order = random.Random(_PAIRS_SEED), list(range(len(task.photos)))
    while True:
        chance.shuffle(order)
        pairs = list(zip(order, order[1:] + order[:1]))
        if all(task.answer[a] != task.answer[b] for a, b in pairs):
            return pairs


def _two_scenes(left: Image.Image, right: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A frame whose halves show the middles of two pictures."""
    width, height = size
    frame = Image.new("RGB", size)
    for x, picture in ((0, left), (width // 2, right)):
        share = min(picture.width / (width / 2), picture.height / height)
        left, top = (max((side - share * part) / 2, 0.0) for side, part in ((picture.width, width / 2), (picture.height, height)))
        box = (left, top, picture.width - left, picture.height - top)
        frame.paste(picture.resize((width // 2, height), Image.Resampling.BICUBIC, box=box), (x, 0))
    return frame


def _verdicts(bundle, verdict: Verdict, half: list[Photo], task: Task, seen: dict[int, list[np.ndarray]]) -> dict:
    """Precision and recall of "something fits" over balanced trials, all resolutions together."""
    asked = calibrate.ask(half, task, seen, bundle.background, bundle.table, _ROUNDS)
    said = verdict.match_probability(asked.standing) >= bundle.manifest["no_match"]["threshold"]
    fits = np.repeat(asked.fits[:, None], said.shape[1], 1)
    return {"precision": float((said & fits).sum() / max(said.sum(), 1)), "recall": float((said & fits).sum() / fits.sum())}


def _photo_rows(bundle, verdict: Verdict, half: list[Photo], seen: Seen, name: str, calibrates: bool) -> list[dict]:
    task = labelled.task(half, NATURAL)
    labels = bundle.table.prompts(task.labels, bundle.manifest["text"]["templates"])
    hits, rows = {}, []
    for mode, by_resolution in seen.items():
        scores = {r: _scores(labels, [e[i] for i in task.photos]) for r, e in by_resolution.items()}
        hits[mode] = np.stack([metrics.zero_shot_top1(s, task.answer) for s in scores.values()])
        views = np.mean([len(by_resolution[pictures.RESOLUTIONS[0]][i]) for i in task.photos])
        won, lost = int((hits[mode] & ~hits["centre"]).sum()), int((~hits[mode] & hits["centre"]).sum())
        row = {"frames": name, "half": "calibration" if calibrates else "held-out", "photos": len(task.photos), "labels": len(task.labels), "crop": mode, "views": float(views)}
        row |= {"top1": {str(r): float(h.mean()) for r, h in zip(scores, hits[mode])}, "mean_top1": float(hits[mode].mean())}
        row |= {"recall_at_1": float(np.mean([metrics.recall(s, task.answer, 1).mean() for s in scores.values()]))}
        rows.append(row | {"gained": won, "lost": lost} | _verdicts(bundle, verdict, half, task, by_resolution))
    return rows


def _pair_rows(bundle, listed: list[Photo], shape: str, calibrates: bool) -> list[dict]:
    half = [p for p in listed if p.package == NATURAL and p.calibrates == calibrates]
    task = labelled.task(half, NATURAL)
    pairs = np.array(_pairs(half, task))
    loaded = [half[i].load() for i in task.photos]
    labels = bundle.table.prompts(task.labels, bundle.manifest["text"]["templates"])
    seen = _seen(bundle, [_two_scenes(loaded[a], loaded[b], _FRAMES[shape]) for a, b in pairs])
    both, rows = task.answer[pairs], []
    for mode, by_resolution in seen.items():
        ranked = {r: np.argsort(-_scores(labels, e), axis=0, kind="stable") for r, e in by_resolution.items()}
        top1 = {r: (order[0] == both.T).any(0) for r, order in ranked.items()}
        in_five = np.stack([(order[:5, None] == both.T[None]).any(0).all(0) for order in ranked.values()])
        row = {"shape": shape, "half": "calibration" if calibrates else "held-out", "frames": len(pairs), "labels": len(task.labels), "crop": mode}
        row |= {"views": float(np.mean([len(v) for v in by_resolution[pictures.RESOLUTIONS[0]]]))}
        rows.append(row | {"top1": {str(r): float(h.mean()) for r, h in top1.items()}, "mean_top1": float(np.mean(list(top1.values()))), "both_in_five": float(in_five.mean())})
    return rows


def _is_wide(picture: Image.Image, least: float) -> bool:
    return picture.width >= least * picture.height


def measure(bundle, listed: list[Photo]) -> dict:
    """The report's rows on crops."""
    facts = bundle.manifest
    verdict = Verdict(facts["text"]["logit_scale"], facts["no_match"]["slope"], facts["no_match"]["intercept"])
    loaded = [(p, p.load()) for p in listed if p.package == NATURAL]
    loaded = [(p, picture) for p, picture in loaded if _is_wide(picture, min(_WIDE.values()))]
    seen = _seen(bundle, [picture for _, picture in loaded])
    rows = []
    for name, least in _WIDE.items():
        for calibrates in (True, False):
            at = [i for i, (p, picture) in enumerate(loaded) if p.calibrates == calibrates and _is_wide(picture, least)]
            part = {mode: {r: [embeddings[i] for i in at] for r, embeddings in by_resolution.items()} for mode, by_resolution in seen.items()}
            rows += _photo_rows(bundle, verdict, [loaded[i][0] for i in at], part, name, calibrates)
    return {
        "photos": rows,
        "two_scenes": [row for shape in _FRAMES for half in (True, False) for row in _pair_rows(bundle, listed, shape, half)],
    }


def render(result: dict) -> str:
    """The rows as Markdown."""
    parts = ["## Crops of wide frames\n"]
    parts.append(
        "Natural photos at least as wide as said, as they are; INT8, at 112 / 160 / 224. *Gained / lost* against the centre square, over the three resolutions. *Precision, recall* "
        "of *something fits*, as below. A view costs an inference.\n"
    )
    rows = []
    for r in result["photos"]:
        tops = " / ".join(f"{v:.3f}" for v in r["top1"].values())
        change = "-" if r["crop"] == "centre" else f"{r['gained']} / {r['lost']}"
        rows.append([f"{r['frames']}, {r['half']} half ({r['photos']} photos, {r['labels']} labels)", r["crop"], f"{r['views']:.2f}", tops, r["mean_top1"], change, r["recall_at_1"], r["precision"], r["recall"]])
    parts.append(table(["photos", "crop", "views", "top-1", "mean", "gained / lost", "R@1, mean", "precision", "recall"], rows))
    parts.append(
        "Frames of two scenes side by side, nothing in the middle. *Top-1*: the best label is that of either scene; *both*: both labels are among the best five.\n"
    )
    rows = []
    for r in result["two_scenes"]:
        tops = " / ".join(f"{v:.3f}" for v in r["top1"].values())
        rows.append([f"{r['shape']}, {r['half']} half ({r['frames']} frames, {r['labels']} labels)", r["crop"], f"{r['views']:.2f}", tops, r["mean_top1"], r["both_in_five"]])
    parts.append(table(["frames", "crop", "views", "top-1", "mean", "both, mean"], rows))
    return "\n".join(parts)

"""Measures a bundle, as it lies in its files, on the listed photos; its f32 twin is exported anew from the packages."""

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx

from . import build, calibrate, classes, crops, labelled, metrics, photos, pictures, pointing, policies, report, runtime, tensors, wording
from .calibrate import Verdict
from .head import Head, conse
from .labelled import Task
from .observe import Inputs
from .photos import CUTOUTS, NATURAL, Photo
from .words import Table

_MISSION_ENTROPY_BITS = [4.0, 7.0]
_CASCADE_START = 160
_ROUNDS = 2  # draws of random label sets


@dataclass(frozen=True)
class Bundle:
    manifest: dict
    encoder: onnx.ModelProto
    head: Head
    table: Table
    background: dict[int, np.ndarray]

    @classmethod
    def read(cls, directory: Path) -> "Bundle":
        manifest = tomllib.loads((directory / "manifest.toml").read_text())
        stored = tensors.deserialize((directory / manifest["head"]["file"]).read_bytes())
        text = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(directory / manifest["text"]["file"]).graph.initializer}
        pieces = (directory / manifest["text"]["vocabulary"]).read_text().splitlines()
        classifier = (stored[f"classifier.{part}"] for part in ("weight", "scale", "bias"))
        head = Head(*classifier, stored["class_texts"], stored["class_texts.scale"], manifest["head"]["temperature"], manifest["head"]["top_k"])
        return cls(
            manifest,
            onnx.load(directory / manifest["image"]["file"]),
            head,
            Table(pieces, text["table"], text["scale"][:, 0]),
            {r: stored[f"background.{r}"].astype(np.float32) for r in manifest["image"]["resolutions"]},
        )


@dataclass(frozen=True)
class Seen:
    """What one precision made of all listed photos, by resolution."""

    logits: dict[int, np.ndarray]
    embeddings: dict[int, np.ndarray]


def _subset(task: Task, listed: list[Photo], calibrates: bool) -> Task:
    """The task of one half alone: its photos and only their labels."""
    half = [i for i in task.photos if listed[i].calibrates == calibrates]
    inner = labelled.task([listed[i] for i in half], listed[half[0]].package)
    return Task(np.array(half)[inner.photos], inner.labels, inner.answer)


def _retrieval(task: Task, labels: np.ndarray, embeddings: np.ndarray) -> dict:
    scores = labels @ embeddings[task.photos].T
    return {
        "zero_shot_top1": float(metrics.zero_shot_top1(scores, task.answer).mean()),
        "recall_at_1": float(metrics.recall(scores, task.answer, 1).mean()),
        "recall_at_5": float(metrics.recall(scores, task.answer, 5).mean()),
    }


def _paired(fp32: np.ndarray, int8: np.ndarray) -> dict:
    lost, gained = int((fp32 & ~int8).sum()), int((int8 & ~fp32).sum())
    return {"lost": lost, "gained": gained, "net_lost": lost - gained, "mcnemar_p": metrics.mcnemar_p(lost, gained)}


def _encoders(bundle: Bundle, tasks: dict[str, Task], listed: list[Photo], seen: dict[str, Seen]) -> list[dict]:
    """One row for each resolution: every figure in f32 and in INT8, and the two compared photo by photo."""
    templates = bundle.manifest["text"]["templates"]
    rows = []
    for resolution in pictures.RESOLUTIONS:
        row: dict = {"resolution": resolution, "tasks": {}, "thousand_classes": {}, "logit_cosine": {}}
        for name, task in tasks.items():
            labels = bundle.table.prompts(task.labels, templates)
            figures = {precision: _retrieval(task, labels, s.embeddings[resolution]) for precision, s in seen.items()}
            hits = [metrics.zero_shot_top1(labels @ seen[p].embeddings[resolution][task.photos].T, task.answer) for p in ("fp32", "int8")]
            row["tasks"][name] = figures | {"paired_zero_shot": _paired(*hits)}
        for name, package in (("natural", NATURAL), ("cutouts", CUTOUTS)):
            known = [i for i, p in enumerate(listed) if p.package == package and p.imagenet]
            right = [listed[i].imagenet for i in known]
            top = {(p, k): metrics.in_top(s.logits[resolution][known], right, k) for p, s in seen.items() for k in (1, 5)}
            figures = {p: {f"top{k}": float(top[p, k].mean()) for k in (1, 5)} for p in seen}
            row["thousand_classes"][name] = figures | {
                "photos": len(known),
                "paired_top1": _paired(top["fp32", 1], top["int8", 1]),
            }
        cosines = metrics.row_cosines(seen["fp32"].logits[resolution], seen["int8"].logits[resolution])
        for name, package in (("natural", NATURAL), ("cutouts", CUTOUTS)):
            part = cosines[[p.package == package for p in listed]]
            row["logit_cosine"][name] = {"photos": len(part), "min": float(part.min()), "mean": float(part.mean()), "below_0.99": int((part < 0.99).sum())}
        rows.append(row)
    return rows


def _policies(bundle: Bundle, answers: policies.Answers, entropy_only: list[float]) -> list[dict]:
    policy = bundle.manifest["policy"]
    calibrated, margin = policy["entropy_bits"], policy["margin"]
    start = pictures.RESOLUTIONS.index(_CASCADE_START)
    played = [(f"fixed {r}", policies.play(answers, policies.fixed(answers, i))) for i, r in enumerate(pictures.RESOLUTIONS)]
    for name, bits in (("4.0 / 7.0", _MISSION_ENTROPY_BITS), ("for accuracy {} / {}".format(*entropy_only), entropy_only)):
        played.append((f"entropy, {name}", policies.play(answers, policies.by_entropy(answers, bits))))
    played.append((f"cascade from {_CASCADE_START}, margin {margin}", policies.play(answers, policies.fixed(answers, start), margin)))
    name = "entropy-cascade {} / {}, margin {} (default)".format(*calibrated, margin)
    played.append((name, policies.play(answers, policies.by_entropy(answers, calibrated), margin)))
    return [{"policy": name, **asdict(outcome)} for name, outcome in played]


def _no_match(bundle: Bundle, verdict: Verdict, asked: calibrate.Asked) -> list[dict]:
    """Precision and recall of "something fits" by resolution, over balanced trials; and accuracy by size of the label set."""
    limit, rows = bundle.manifest["no_match"]["threshold"], []
    for resolution, standing in zip(pictures.RESOLUTIONS, asked.standing.T):
        probability = verdict.match_probability(standing)
        said, fits = probability >= limit, asked.fits
        rows.append(
            {
                "resolution": resolution,
                "trials": len(fits),
                "precision": float((said & fits).sum() / max(said.sum(), 1)),
                "recall": float((said & fits).sum() / fits.sum()),
                "accuracy": float((said == fits).mean()),
                "accuracy_by_labels": {str(n): float((said == fits)[asked.size == n].mean()) for n in sorted(set(asked.size.tolist()))},
                "brier": float(((probability - fits) ** 2).mean()),
            }
        )
    return rows


def evaluate(directory: Path, out: Path) -> None:
    """Writes `report.json` and `report.md` to `out`."""
    bundle, listed = Bundle.read(directory), photos.listed()
    fp32, classifier, bias = build.export_encoder()
    inputs = Inputs.of(photo.load() for photo in listed)
    head = bundle.head
    texts = head.texts.astype(np.float32) * head.texts_scale[:, None]
    features = {"fp32": inputs.features(runtime.session(fp32)), "int8": inputs.features(runtime.session(bundle.encoder))}
    logits = {
        "fp32": {r: f @ classifier.T + bias for r, f in features["fp32"].items()},
        "int8": {r: head.logits(f) for r, f in features["int8"].items()},
    }
    seen = {p: Seen(by_r, {r: conse(rows, texts, head.temperature, head.top_k) for r, rows in by_r.items()}) for p, by_r in logits.items()}

    whole = {"natural": labelled.task(listed, NATURAL), "cutouts": labelled.task(listed, CUTOUTS)}
    held = {f"{name}, held-out half": _subset(task, listed, False) for name, task in whole.items()}
    calibration = {f"{name}, calibration half": _subset(task, listed, True) for name, task in whole.items()}
    tasks = whole | held | calibration

    facts = bundle.manifest
    verdict = Verdict(facts["text"]["logit_scale"], facts["no_match"]["slope"], facts["no_match"]["intercept"])
    embeddings, macs = seen["int8"].embeddings, facts["image"]["macs"]
    answers = {n: calibrate.answers(t, embeddings, bundle.background, inputs.entropy_bits, macs, bundle.table, verdict) for n, t in tasks.items()}
    wanted = {n: t for n, t in tasks.items() if n in held or n.startswith("natural")}
    asked = {n: calibrate.ask(listed, t, embeddings, bundle.background, bundle.table, _ROUNDS) for n, t in wanted.items()}
    sets = {n: calibrate.set_answers(asked[n], tasks[n], inputs.entropy_bits, macs, verdict) for n in wanted if n.startswith("natural")}
    entropy_only = policies.calibrate_entropy(sets["natural, calibration half"])
    replayed = {f"{n}, all labels of the task": answers[n] for n in answers if "calibration" not in n}
    replayed |= {f"{n}, sets of 2, 5, 10 and 40 labels": sets[n] for n in sets}
    result = {
        "bundle": _facts(facts),
        "constants": {k: facts[k] for k in ("head", "policy", "no_match")} | {"logit_scale": verdict.logit_scale, "templates": facts["text"]["templates"]},
        "tasks": {name: {"photos": len(t.photos), "labels": len(t.labels)} for name, t in tasks.items()},
        "encoders": _encoders(bundle, tasks, listed, seen),
        "policies": {name: _policies(bundle, a, entropy_only) for name, a in replayed.items()},
        "no_match": {n: _no_match(bundle, verdict, asked[n]) for n in held},
        "macs": dict(zip(map(str, pictures.RESOLUTIONS), macs)),
        "crops": crops.measure(bundle, listed),
        "words": wording.measure(bundle, listed, features["int8"], embeddings),
    }
    task = whole["natural"]
    maps = pointing.observe(runtime.session(bundle.encoder), listed, task)
    own = {r: e[task.photos] for r, e in embeddings.items()}
    halves = np.array([listed[i].calibrates for i in task.photos])
    found = pointing.measure(maps, head, bundle.table, facts["text"]["templates"], task, own, halves)

    out.mkdir(parents=True, exist_ok=True)
    pointing.write(_rounded(found), out)
    _write(result, out)
    print(f"{out}: {len(classes.imagenet())} classes, {len(listed)} photos")


def evaluate_part(directory: Path, out: Path, part: str) -> None:
    """Makes the rows of one of `PARTS` anew in the report that lies in `out`, and leaves the others."""
    bundle = Bundle.read(directory)
    result = json.loads((out / "report.json").read_text())
    result["bundle"] = _facts(bundle.manifest)
    result[part] = PARTS[part](bundle, photos.listed())
    _write(result, out)


def _words(bundle: Bundle, listed: list[Photo]) -> dict:
    features = Inputs.of(photo.load() for photo in listed).features(runtime.session(bundle.encoder))
    return wording.measure(bundle, listed, features, {r: bundle.head.embed(f) for r, f in features.items()})


PARTS = {"crops": crops.measure, "words": _words}


def _facts(manifest: dict) -> dict:
    return {k: manifest[k] for k in ("name", "version")} | {"files": {f["name"]: f["bytes"] for f in manifest["file"]}}


def _write(result: dict, out: Path) -> None:
    """What is rounded is rendered, so that rows that are made anew and rows that are kept read alike."""
    rounded = _rounded(result)
    (out / "report.json").write_text(json.dumps(rounded, indent=1) + "\n")
    (out / "report.md").write_text(report.render(rounded))


def _rounded(value):
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value

"""Default against plus on the listed photos: the same image encoder with two text towers, each with its own head constants and calibration.

Written to `plus.json` and `plus.md`, files of their own, since the plus bundle is not committed and is built first where it is missing.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from .. import calibrate, labelled, metrics, photos, report, runtime, tensors
from ..calibrate import Verdict
from ..evaluate import Bundle, _no_match, _paired, _retrieval, _rounded, _subset
from ..head import Head
from ..labelled import Task
from ..observe import Inputs
from ..photos import CUTOUTS, NATURAL
from . import text

_ROUNDS = 2
_INTRO = """# The default bundle against the plus bundle, measured

Made by `cargo xtask models eval`. Both have the same INT8 image encoder and classifier. The default's text tower is a table of 128 numbers a
word piece, distilled from MiniLM; that of plus is MiniLM itself, in INT8, with class texts, temperature, top k, logit scale, no-match constants and
thresholds of its own, fitted on the same calibration half. Photos, tasks and figures are those of `report.md`. *Lost / gained*: photos that only
the default / only plus gets right; p is the exact two-sided McNemar test.
"""


@dataclass(frozen=True)
class Candidate:
    """One bundle, and what it makes of every listed photo."""

    bundle: Bundle
    embeddings: dict[int, np.ndarray]

    @property
    def facts(self) -> dict:
        return self.bundle.manifest


def read(directory: Path) -> Bundle:
    """The plus bundle as the recipe's other modules use a bundle."""
    manifest = tomllib.loads((directory / "manifest.toml").read_text())
    stored = tensors.deserialize((directory / manifest["head"]["file"]).read_bytes())
    classifier = (stored[f"classifier.{part}"] for part in ("weight", "scale", "bias"))
    head = Head(*classifier, stored["class_texts"], stored["class_texts.scale"], manifest["head"]["temperature"], manifest["head"]["top_k"])
    background = {r: stored[f"background.{r}"].astype(np.float32) for r in manifest["image"]["resolutions"]}
    words = text.Words(onnx.load(directory / manifest["text"]["file"]))
    return Bundle(manifest, onnx.load(directory / manifest["image"]["file"]), head, words, background)


def compare(default: Path, plus: Path, out: Path) -> None:
    """Writes `plus.json` and `plus.md` to `out`."""
    listed = photos.listed()
    inputs = Inputs.of(photo.load() for photo in listed)
    bundles = {"default": Bundle.read(default), "plus": read(plus)}
    features = inputs.features(runtime.session(bundles["default"].encoder))
    seen = {name: Candidate(b, {r: b.head.embed(f) for r, f in features.items()}) for name, b in bundles.items()}

    whole = {"natural": labelled.task(listed, NATURAL), "cutouts": labelled.task(listed, CUTOUTS)}
    held = {f"{name}, held-out half": _subset(task, listed, False) for name, task in whole.items()}
    result = {
        "bundles": {name: _facts(c) for name, c in seen.items()},
        "words": [row for name, task in (whole | held).items() for row in _words(name, task, seen)],
        "no_match": [row for name, task in held.items() for c in seen for row in _verdicts(name, task, c, seen[c], listed)],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "plus.json").write_text(json.dumps(_rounded(result), indent=1) + "\n")
    (out / "plus.md").write_text(_render(result))
    print(f"{out}: default against plus")


def _facts(candidate: Candidate) -> dict:
    facts = candidate.facts
    files = {entry["name"]: entry["bytes"] for entry in facts["file"]}
    constants = {"temperature": facts["head"]["temperature"], "top_k": facts["head"]["top_k"], "logit_scale": facts["text"]["logit_scale"]}
    return {"bytes": sum(files.values()), "text_bytes": files[facts["text"]["file"]], "dimension": facts["text"]["dimension"]} | constants


def _words(name: str, task: Task, seen: dict[str, Candidate]) -> list[dict]:
    labels = {c: seen[c].bundle.table.prompts(task.labels, seen[c].facts["text"]["templates"]) for c in seen}
    rows = []
    for resolution in seen["default"].embeddings:
        figures = {c: _retrieval(task, labels[c], seen[c].embeddings[resolution]) for c in seen}
        hits = [metrics.zero_shot_top1(labels[c] @ seen[c].embeddings[resolution][task.photos].T, task.answer) for c in ("default", "plus")]
        size = {"task": name, "photos": len(task.photos), "labels": len(task.labels), "resolution": resolution}
        rows.append(size | figures | {"paired_zero_shot": _paired(*hits)})
    return rows


def _verdicts(name: str, task: Task, which: str, candidate: Candidate, listed) -> list[dict]:
    facts = candidate.facts
    verdict = Verdict(facts["text"]["logit_scale"], facts["no_match"]["slope"], facts["no_match"]["intercept"])
    asked = calibrate.ask(listed, task, candidate.embeddings, candidate.bundle.background, candidate.bundle.table, _ROUNDS)
    return [{"task": name, "bundle": which} | row for row in _no_match(candidate.bundle, verdict, asked)]


def _render(result: dict) -> str:
    rows = [[name, f"{b['bytes'] / 1e6:.1f} MB", f"{b['text_bytes'] / 1e6:.1f} MB", b["dimension"], b["temperature"], b["top_k"], b["logit_scale"]] for name, b in result["bundles"].items()]
    parts = [_INTRO, "## The bundles\n", report.table(["bundle", "all files", "text tower", "dimensions", "temperature", "top k", "logit scale"], rows)]
    rows = []
    for r in result["words"]:
        figures = [f"{r[c][k]:.3f}" for k in ("zero_shot_top1", "recall_at_1", "recall_at_5") for c in ("default", "plus")]
        pair = r["paired_zero_shot"]
        rows.append([f"{r['task']} ({r['photos']} photos, {r['labels']} labels)", r["resolution"], *figures, f"{pair['lost']} / {pair['gained']}", pair["mcnemar_p"]])
    head = ["task", "resolution", "top-1 default", "top-1 plus", "R@1 default", "R@1 plus", "R@5 default", "R@5 plus", "lost / gained", "p"]
    parts += ["## Words and photos\n", report.table(head, rows)]
    rows = [[r["task"], r["bundle"], r["resolution"], r["trials"], r["precision"], r["recall"], r["accuracy"], r["brier"]] for r in result["no_match"]]
    parts += ["## No match\n", report.table(["photos", "bundle", "resolution", "trials", "precision", "recall", "accuracy", "Brier"], rows)]
    return "\n".join(parts)

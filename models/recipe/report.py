"""The evaluation as Markdown."""

from . import crops, wording
from .tables import table

_INTRO = """# The default bundle, measured

Made by `cargo xtask models eval` from the files of `models/default/` and the photos that `photos.json` names. `report.json` holds the same
figures. Inference is onnxruntime's with its graph optimisations off; f32 is the same network before it was quantized, with the same head.

**Split.** A photo belongs to the calibration half when the first byte of SHA-256("package/path") is even. Class texts, temperature, top k,
logit scale, no-match constants, policy thresholds, channel scales, activation ranges and rounding saw that half and packages the list does not name, nothing
else. No value was fitted on the rows named *held-out half*, but they are not strictly unseen: class texts were reworked after an interim report that showed them, and the INT8
encoder's noise was worked on after one that showed the least cosines of all photos. Half a task has fewer labels, so its chance level is higher.

**Figures.** Zero-shot top-1: the photo's own label scores best of all labels of its task. R@1, R@5: a label's query finds one of its photos
first, or among five. *Lost / gained*: photos that only f32 / only INT8 gets right; p is the exact two-sided McNemar test.
"""


def _tasks(result: dict) -> str:
    rows = []
    for name, size in result["tasks"].items():
        for encoder in result["encoders"]:
            task = encoder["tasks"][name]
            pair = task["paired_zero_shot"]
            figures = [f"{task[p][k]:.3f}" for k in ("zero_shot_top1", "recall_at_1", "recall_at_5") for p in ("fp32", "int8")]
            shift = f"{pair['lost']} / {pair['gained']}"
            rows.append([f"{name} ({size['photos']} photos, {size['labels']} labels)", encoder["resolution"], *figures, shift, pair["mcnemar_p"]])
    head = ["task", "resolution", "top-1 f32", "top-1 INT8", "R@1 f32", "R@1 INT8", "R@5 f32", "R@5 INT8", "lost / gained", "p"]
    return table(head, rows)


def _thousand(result: dict) -> str:
    rows = []
    for name in ("natural", "cutouts"):
        for encoder in result["encoders"]:
            part = encoder["thousand_classes"][name]
            pair = part["paired_top1"]
            figures = [part[p][k] for k in ("top1", "top5") for p in ("fp32", "int8")]
            shift = f"{pair['lost']} / {pair['gained']}"
            rows.append([f"{name} ({part['photos']})", encoder["resolution"], *figures, shift, pair["mcnemar_p"]])
    head = ["photos", "resolution", "top-1 f32", "top-1 INT8", "top-5 f32", "top-5 INT8", "lost / gained", "p"]
    return table(head, rows)


def _cosines(result: dict) -> str:
    rows = []
    for name in ("natural", "cutouts"):
        for encoder in result["encoders"]:
            part = encoder["logit_cosine"][name]
            rows.append([f"{name} ({part['photos']})", encoder["resolution"], f"{part['min']:.4f}", f"{part['mean']:.4f}", part["below_0.99"]])
    return table(["photos", "resolution", "least", "mean", "below 0.99"], rows)


def _policies(rows: list[dict]) -> str:
    made = [
        [r["policy"], r["accuracy"], r["random_accuracy"], f"{r['mean_macs'] / 1e6:.0f} M", r["escalation_rate"], " / ".join(f"{m:.2f}" for m in r["mix"])]
        for r in rows
    ]
    return table(["policy", "top-1", "chance, same mix", "mean MACs", "escalated", "answered at 112 / 160 / 224"], made)


def _no_match(result: dict) -> str:
    rows = []
    for name, by_resolution in result["no_match"].items():
        for r in by_resolution:
            sizes = " / ".join(f"{a:.2f}" for a in r["accuracy_by_labels"].values())
            rows.append([name, r["resolution"], r["trials"], r["precision"], r["recall"], r["accuracy"], sizes, r["brier"]])
    return table(["photos", "resolution", "trials", "precision", "recall", "accuracy", "accuracy at 1 / 2 / 5 / 10 / 40 labels", "Brier"], rows)


def render(result: dict) -> str:
    constants = result["constants"]
    parts = [_INTRO, "## Words and photos\n", _tasks(result)]
    parts += ["## The thousand classes\n", "Photos of the list whose object is one of the classifier's classes.\n", _thousand(result)]
    parts += ["## INT8 against f32\n", "Cosine of the thousand logits, over every photo of the list, whether or not it shows one of the classes.\n", _cosines(result)]
    parts.append("## Policies\n")
    parts.append(
        "Zero-shot top-1 over the task's labels, in INT8. *Chance, same mix* deals the same shares of resolutions out at random. An escalation costs "
        "both inferences. Thresholds *for accuracy* are the most accurate on the calibration half that cost no more than always 160.\n"
    )
    for name, rows in result["policies"].items():
        parts += [f"### {name}\n", _policies(rows)]
    if "crops" in result:
        parts.append(crops.render(result["crops"]))
    parts.append("## Nothing fits\n")
    parts.append(
        "Random label sets of 1, 2, 5, 10 and 40 labels, one with the photo's own label and one without, the others drawn from the list's labels and the "
        "thousand class names, less those that also fit the photo. Precision and recall of *something fits* at the bundle's threshold.\n"
    )
    parts.append(_no_match(result))
    if "words" in result:
        parts.append(wording.render(result["words"]))
    parts += ["## Constants\n", "\n".join(f"- `{name}`: `{value}`" for name, value in constants.items()) + "\n"]
    return "\n".join(parts)

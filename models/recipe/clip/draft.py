"""Makes the draft of a bundle, which `ocellus bundle pack` checks and finishes.

The golden vectors are those of the checkpoint in f32, so that packing says how far INT8 is from it, and every board's doctor after it.
"""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from .. import runtime, tensors
from . import bpe, quantize, towers
from .layout import Options, State
from .pixels import Pixels

TEMPLATES = ("a photo of a {}.",)
PROMPTS = ("a photo of a cat.", "a red double-decker bus", "coffee in a cup, on a table")
_SHORT = 16  # ids that most prompts fit in; the tower is causal, so what fills them up changes nothing


@dataclass(frozen=True)
class Facts:
    """What the manifest says beside what is computed."""

    name: str
    license: str
    provenance: str
    resolutions: tuple[int, ...]
    pixels: Pixels = Pixels()
    options: Options = Options()
    templates: tuple[str, ...] = TEMPLATES
    prompts: tuple[str, ...] = PROMPTS
    min_cosine: float = 0.99
    entropy_bits: list[float] = field(default_factory=list)
    margin: float = 0.3


@dataclass(frozen=True)
class Shown:
    """What towers are calibrated on, and the picture whose vectors are golden."""

    pictures: list[Image.Image]
    texts: list[str]
    golden_png: bytes


def ids(pairs: bpe.BytePairs, encode, text: str, length: int, context: int) -> np.ndarray:
    """A text's ids as the runtime lays them out: framed, cut at the context, filled up to `length`."""
    start, end = pairs.pieces.index(bpe.START), pairs.pieces.index(bpe.END)
    framed = [start, *encode(text)[: context - 2], end]
    return np.array([framed + [0] * (length - len(framed))], np.int64)


def files(state: State, pairs: bpe.BytePairs, encode, facts: Facts, shown: Shown) -> dict[str, bytes]:
    """Every file of the draft. `encode` gives the ids of a text without its frame."""
    bpe.embeddings_fit(pairs, len(state["token_embedding.weight"]))
    if pairs.pieces[-1] != bpe.END:
        raise ValueError(f"expected {bpe.END} to be the last piece, since the tower pools at the largest id; got {pairs.pieces[-1]!r}")
    context = len(state["positional_embedding"])
    lengths = sorted({min(_SHORT, context), context})
    made, golden = dict(pairs.files()), {}
    picture = Image.open(io.BytesIO(shown.golden_png)).convert("RGB")
    names = []
    for side in facts.resolutions:
        fp32 = towers.image(state, facts.options, side)
        int8 = quantize.quantize(fp32, [facts.pixels.prepare(p, side) for p in shown.pictures])
        names.append(f"image-{side}.onnx")
        made[names[-1]] = int8.SerializeToString(deterministic=True)
        golden[f"image.{side}"] = runtime.session(fp32).run(None, {"image": facts.pixels.prepare(picture, side)})[0][0]

    def laid(text: str) -> np.ndarray:
        room = len(encode(text)) + 2
        return ids(pairs, encode, text, next((n for n in lengths if n >= room), context), context)

    fp32 = towers.text(state, facts.options)
    made["text.onnx"] = quantize.quantize(fp32, [laid(text) for text in shown.texts]).SerializeToString(deterministic=True)
    session = runtime.session(fp32)
    golden["text"] = np.concatenate([session.run(None, {"input_ids": laid(p)})[0] for p in facts.prompts])
    made["golden.safetensors"] = tensors.serialize({name: value.astype(np.float32) for name, value in golden.items()})
    made["golden.png"] = shown.golden_png
    made["manifest.toml"] = _manifest(state, facts, names, lengths, golden["text"].shape[1]).encode()
    return made


def _manifest(state: State, facts: Facts, names: list[str], lengths: list[int], dimension: int) -> str:
    """The draft manifest: no files' hashes and no MACs, which packing fills in."""

    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False)

    def strings(values) -> str:
        return "[" + ", ".join(map(text, values)) + "]"

    scale = float(np.exp(np.asarray(state.get("logit_scale", np.log(100.0))).reshape(-1)[0]))
    bits = facts.entropy_bits or _spread(len(facts.resolutions))
    pixels = facts.pixels
    return f"""schema = 1
name = {text(facts.name)}
version = "1.0.0"
license = {text(facts.license)}
provenance = {text(facts.provenance)}

[image]
file = {strings(names)}
resolutions = {list(facts.resolutions)}
channels = {dimension}
crop_fraction = {pixels.crop_fraction}
filter = "bicubic"
mean = {[round(value, 6) for value in pixels.mean]}
std = {[round(value, 6) for value in pixels.std]}

[text]
file = "text.onnx"
vocabulary = "vocab.txt"
dimension = {dimension}
lowercase = true
max_tokens = {lengths[-1]}
templates = {strings(facts.templates)}
logit_scale = {round(scale, 4)}

[text.sequence]
merges = "merges.txt"
start = {text(bpe.START)}
end = {text(bpe.END)}
pad = "!"
lengths = {lengths}

[head]
kind = "embedding"

[policy]
entropy_bits = {bits}
margin = {facts.margin}

[golden]
picture = "golden.png"
vectors = "golden.safetensors"
prompts = {strings(facts.prompts)}
min_cosine = {facts.min_cosine}
"""


def _spread(resolutions: int) -> list[float]:
    """Thresholds that nothing was calibrated for: the mission's two, or even steps between them."""
    return [4.0, 7.0] if resolutions == 3 else [round(float(b), 2) for b in np.linspace(4, 7, resolutions + 1)[1:-1]]


def write(made: dict[str, bytes], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, blob in made.items():
        (out / name).write_bytes(blob)

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
from . import quantize, towers
from .layout import Options, State, family
from .pixels import Pixels
from .tokens import Tokens

TEMPLATES = ("a photo of a {}.",)
PROMPTS = ("a photo of a cat.", "a red double-decker bus", "coffee in a cup, on a table")
_SHORT = 16  # ids that most prompts fit in; in a causal tower what fills them up changes nothing


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


def lengths(state: State) -> list[int]:
    """To which lengths texts are filled up."""
    context = len(state["positional_embedding"])
    return sorted({min(_SHORT, context), context}) if family(state).causal else [context]


def files(state: State, tokens: Tokens, facts: Facts, shown: Shown) -> dict[str, bytes]:
    """Every file of the draft."""
    tokens.fits(len(state["token_embedding.weight"]))
    made, golden = dict(tokens.files), {}
    picture = Image.open(io.BytesIO(shown.golden_png)).convert("RGB")
    names = []
    for side in facts.resolutions:
        fp32 = towers.image(state, facts.options, side)
        int8 = quantize.quantize(towers.image(state, towers.in_bytes(state, facts.options), side), [facts.pixels.prepare(p, side) for p in shown.pictures])
        names.append(f"image-{side}.onnx")
        made[names[-1]] = int8.SerializeToString(deterministic=True)
        golden[f"image.{side}"] = runtime.session(fp32).run(None, {"image": facts.pixels.prepare(picture, side)})[0][0]

    def laid(text: str) -> np.ndarray:
        return tokens.laid(text, lengths(state))

    fp32 = towers.text(state, facts.options)
    in_bytes = towers.text(state, towers.in_bytes(state, facts.options))
    made["text.onnx"] = quantize.quantize(in_bytes, [laid(text) for text in shown.texts]).SerializeToString(deterministic=True)
    session = runtime.session(fp32)
    golden["text"] = np.concatenate([session.run(None, {"input_ids": laid(p)})[0] for p in facts.prompts])
    made["golden.safetensors"] = tensors.serialize({name: value.astype(np.float32) for name, value in golden.items()})
    made["golden.png"] = shown.golden_png
    made["manifest.toml"] = _manifest(state, tokens, facts, names, golden["text"].shape[1]).encode()
    return made


def _manifest(state: State, tokens: Tokens, facts: Facts, names: list[str], dimension: int) -> str:
    """The draft manifest: no files' hashes and no MACs, which packing fills in."""

    def text(value: str | bool) -> str:
        return json.dumps(value, ensure_ascii=False)

    def keys(values: dict) -> str:
        return "".join(f"{key} = {text(value)}\n" for key, value in values.items() if value is not None)

    def strings(values) -> str:
        return "[" + ", ".join(map(text, values)) + "]"

    scale = float(np.exp(np.asarray(state.get("logit_scale", np.log(100.0))).reshape(-1)[0]))
    bias = f"logit_bias = {round(float(np.asarray(state['logit_bias']).reshape(-1)[0]), 4)}\n" if "logit_bias" in state else ""
    unigram = f"\n[text.unigram]\n{keys(tokens.unigram)}" if tokens.unigram else ""
    frame = keys({"merges": tokens.merges, "start": tokens.start, "end": tokens.end, "pad": tokens.pad})
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
max_tokens = {lengths(state)[-1]}
templates = {strings(facts.templates)}
logit_scale = {round(scale, 4)}
{bias}{unigram}
[text.sequence]
{frame}lengths = {lengths(state)}

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

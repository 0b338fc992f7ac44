"""The small models that the end-to-end tests pack and run: CLIP with a vision transformer and with a ModifiedResNet, SigLIP, MobileCLIP.

`python -m recipe clip-fixtures` writes them to `tests/data/clip`. What models share lies beside their folders: the picture, and of the two CLIPs
the words. `map` is none of these: one convolution over those words, whose embedding is the mean of a map, so that a label has a place.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from .. import pictures, runtime
from . import bpe, draft, layout, prefix, random_models, towers, unigram
from .graph import Graph, image_input
from .layout import Options, State
from .pixels import Pixels
from .tokens import Tokens

_CONTEXT, _DIMENSION, _PIECES = 24, 48, 1000
_OPTIONS = {"siglip": Options("gelu-tanh", 16, 16), "mobileclip": Options("gelu", 32, 16)}
_CLIP_OPTIONS = Options("quick-gelu", 32, 32)
_DIRECTIONS = 6  # in which MobileCLIP's pictures are told apart
_LICENSE = "MIT OR Apache-2.0"
_SIDES = {"vit": (64, 80, 112), "conv": (64, 96), "siglip": (64, 96), "mobileclip": (64, 96)}


def write(out: Path, photos: Path, classes: Path) -> None:
    named = classes.read_text().splitlines()
    prompts = named + [f"a photo of a {name}" for name in named]
    pairs, pieces = bpe.train(prompts, _PIECES).tokens(), unigram.train(prompts, _PIECES).tokens()
    seen = [pictures.load(path) for path in sorted(photos.glob("*.jpg"))]
    shown = draft.Shown([p.transpose(t) for p in seen for t in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90)] + _cuts(seen), [f"a photo of a {n}." for n in named[::25]], _png(seen[1]))
    for kind, sides in _SIDES.items():
        tokens = pieces if kind == "siglip" else pairs
        state, options = _MODELS[kind](len(tokens.pieces)), _OPTIONS.get(kind, _CLIP_OPTIONS)
        family = layout.family(state)
        pixels = Pixels(tuple(255 * v for v in family.mean), tuple(255 * v for v in family.std))
        name = f"clip-{kind}-random" if family is layout.CLIP else f"{kind}-random"
        facts = draft.Facts(name, _LICENSE, "Random weights of the recipe, for tests: it has learned nothing.", sides, pixels, options)
        if family is layout.MOBILECLIP:
            _normalize(state, facts, shown)
        _centre(state, tokens, facts, shown)
        made = draft.files(state, tokens, facts, shown)
        # The picture is that of all, and the words of the two CLIPs are one.
        shared = {"golden.png"} | ({"text.onnx", *tokens.files} if family is layout.CLIP else set(tokens.files) if tokens is pairs else set())
        own = {name: blob for name, blob in made.items() if name not in shared}
        draft.write(own, out / kind)
        draft.write({name: blob for name, blob in made.items() if name in shared}, out)
        if kind == "vit":
            prefix.fixture(out / "prefix", made, state, tokens, facts, shown.texts)
        if kind == "conv":
            draft.write(_map(made["manifest.toml"].decode()), out / "map")
        print(f"{out / kind}: {sum(map(len, own.values()))} bytes of {sum(map(len, made.values()))}")


def _map(manifest: str) -> dict[str, bytes]:
    """An encoder of one convolution for both resolutions, with a map in the text space, and a manifest that says how to look for a label in it."""
    weight = np.random.default_rng(19).standard_normal((_DIMENSION, 3, 4, 4)).astype(np.float32)
    g = Graph()
    small = g.op("AveragePool", "image", kernel_shape=[8, 8], strides=[8, 8])
    g.op("Conv", small, g.constant(weight), name="map", kernel_shape=[4, 4], strides=[4, 4])
    model = g.model(image_input("side"), g.op("GlobalAveragePool", "map"), _DIMENSION)
    cells = type(model.graph.output[0])()
    cells.CopyFrom(model.graph.output[0])
    cells.name = "map"
    del cells.type.tensor_type.shape.dim[1:]
    for size in (_DIMENSION, "rows", "columns"):
        dim = cells.type.tensor_type.shape.dim.add()
        dim.dim_value, dim.dim_param = (size, "") if isinstance(size, int) else (0, size)
    model.graph.output.append(cells)
    files = ", ".join(f'"image-{side}.onnx"' for side in _SIDES["conv"])
    for before, after in (
        ("clip-conv-random", "clip-map-random"),
        (f"[{files}]", '"image.onnx"'),
        ("[policy]", "[relevance]\nsharpness = 0.0\nscale = 0.3\nfloor = 0.0\nblock = [1, 1]\ntop_k = 4\n\n[policy]"),
    ):
        assert before in manifest, before
        manifest = manifest.replace(before, after)
    return {"image.onnx": model.SerializeToString(deterministic=True), "manifest.toml": manifest.encode()}


def _clip_vit(pieces: int) -> State:
    weights = random_models.Weights(11)
    random_models.text_tower(weights, pieces, _CONTEXT, 64, 2, _DIMENSION)
    random_models.vit(weights, 16, 5, 64, 3, _DIMENSION)
    return weights.state


def _clip_resnet(pieces: int) -> State:
    weights = random_models.Weights(11)
    random_models.text_tower(weights, pieces, _CONTEXT, 64, 2, _DIMENSION)
    random_models.resnet(weights, 8, (1, 1, 1, 1), 2, _DIMENSION)
    return weights.state


def _siglip(pieces: int) -> State:
    weights, width = random_models.Weights(13), 48
    random_models.text_tower(weights, pieces, 16, width, 2, width)
    random_models.vit(weights, 16, 4, width, 2, width)
    random_models.siglip_head(weights, width)
    return weights.state


def _mobileclip(pieces: int) -> State:
    weights = random_models.Weights(17)
    random_models.text_tower(weights, pieces, _CONTEXT, 48, 1, _DIMENSION)
    random_models.mixers_around(weights, 48)
    random_models.mci(weights, (16, 16, 32, 64), (1, 1, 1, 1), _DIMENSION)
    return layout.named({name if name.startswith(("visual.", "logit")) else f"text.{name}": value for name, value in weights.state.items()})


_MODELS: dict[str, Callable[[int], State]] = {"vit": _clip_vit, "conv": _clip_resnet, "siglip": _siglip, "mobileclip": _mobileclip}


def _cuts(seen: list[Image.Image]) -> list[Image.Image]:
    """The quarters of each picture."""
    halves = [(p.size[0] // 2, p.size[1] // 2, p) for p in seen]
    return [p.crop((x, y, x + w, y + h)) for w, h, p in halves for x in (0, w) for y in (0, h)]


def _png(picture: Image.Image) -> bytes:
    side = min(picture.size)
    buffer = io.BytesIO()
    picture.crop((0, 0, side, side)).resize((112, 112), Image.Resampling.BICUBIC).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _normalize(state: State, facts: draft.Facts, shown: draft.Shown) -> None:
    """Gives what each convolution makes of the pictures a mean of zero and a size of one by channel, as training does by its batch norms. Without
    that, what all pictures share drowns what tells them apart."""
    side = facts.resolutions[-1]
    seen = [{"image": facts.pixels.prepare(p, side)} for p in shown.pictures]
    names = [n.name.removeprefix("/") for n in towers.image(state, facts.options, side).graph.node if n.op_type == "Conv"]
    for name in names:
        at = f"visual.{name}.bn" if f"visual.{name}.bn.weight" in state else f"visual.{name}"
        if ".se." in name or f"{at}.weight" not in state or name.endswith("mlp.fc2"):
            continue
        model = towers.image(state, facts.options, side)
        model.graph.output.append(type(model.graph.output[0])(name=name))
        session = runtime.session(model)
        made = np.concatenate([session.run([name], picture)[0] for picture in seen])
        mean, size = made.mean((0, 2, 3)), made.std((0, 2, 3)) + 1e-3
        weight = state[f"{at}.weight"]
        state[f"{at}.weight"] = weight / size.reshape(-1, *[1] * (weight.ndim - 1))
        # A batch norm's running mean is scaled with its weight.
        state[f"{at}.bias"] = (state[f"{at}.bias"] - mean) / size
    # The head looks where pictures differ most, which random directions hardly do.
    model = towers.image(state, facts.options, side)
    pooled = [n.input[0] for n in model.graph.node if n.op_type == "MatMul"][-1]
    model.graph.output.append(type(model.graph.output[0])(name=pooled))
    session = runtime.session(model)
    features = np.concatenate([session.run([pooled], picture)[0] for picture in seen])
    _, _, directions = np.linalg.svd(features - features.mean(0), full_matrices=False)
    turned, _ = np.linalg.qr(np.random.default_rng(23).standard_normal((_DIMENSION, _DIRECTIONS)))
    state["visual.head.fc.weight"] = (turned @ directions[:_DIRECTIONS]).astype(np.float32)


def _centre(state: State, tokens: Tokens, facts: draft.Facts, shown: draft.Shown) -> None:
    side = facts.resolutions[-1]
    session = runtime.session(towers.image(state, facts.options, side))
    images = np.concatenate([session.run(None, {"image": facts.pixels.prepare(p, side)})[0] for p in shown.pictures]).mean(0)
    if "visual.proj" in state:
        random_models.centre(state, "visual.ln_post", "visual.proj", images)
    else:
        last = next(name for name in ("visual.attnpool.c_proj.bias", "visual.map.mlp.c_proj.bias", "visual.head.fc.bias") if name in state)
        state[last] = state[last] - images
    session = runtime.session(towers.text(state, facts.options))
    texts = np.concatenate([session.run(None, {"input_ids": tokens.laid(t, draft.lengths(state)[-1:])})[0] for t in shown.texts]).mean(0)
    if "text_projection_bias" in state:
        state["text_projection_bias"] = state["text_projection_bias"] - texts
    else:
        random_models.centre(state, "ln_final", "text_projection", texts)

"""The small models that the end-to-end tests pack and run: a vision transformer, a ModifiedResNet, and one text tower for both.

`python -m recipe clip-fixtures` writes them to `tests/data/clip`.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from .. import pictures, runtime
from . import bpe, draft, prefix, random_models, towers
from .layout import Options
from .pixels import Pixels

_CONTEXT, _DIMENSION, _PIECES = 24, 48, 1000
_OPTIONS = Options(quick_gelu=True, image_head=32, text_head=32)
_LICENSE = "MIT OR Apache-2.0"
_SIDES = {"vit": (64, 80, 112), "conv": (64, 96)}


def write(out: Path, photos: Path, classes: Path) -> None:
    named = classes.read_text().splitlines()
    pairs = bpe.train(named + [f"a photo of a {name}" for name in named], _PIECES)
    encode = bpe.encoder(pairs)
    seen = [pictures.load(path) for path in sorted(photos.glob("*.jpg"))]
    shown = draft.Shown([p.transpose(t) for p in seen for t in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90)] + _cuts(seen), [f"a photo of a {n}." for n in named[::25]], _png(seen[1]))
    for kind in ("vit", "conv"):
        weights = random_models.Weights(11)
        random_models.text_tower(weights, len(pairs.pieces), _CONTEXT, 64, 2, _DIMENSION)
        if kind == "vit":
            random_models.vit(weights, 16, 5, 64, 3, _DIMENSION)
        else:
            random_models.resnet(weights, 8, (1, 1, 1, 1), 2, _DIMENSION)
        facts = draft.Facts(f"clip-{kind}-random", _LICENSE, "Random weights of the recipe, for tests: it has learned nothing.", _SIDES[kind], Pixels(), _OPTIONS)
        _centre(weights.state, kind, encode, pairs, facts, shown)
        made = draft.files(weights.state, pairs, encode, facts, shown)
        own = {name: blob for name, blob in made.items() if name.startswith(("image-", "golden.s", "manifest"))}
        draft.write(own, out / kind)
        # The words and the picture are those of both.
        draft.write({name: blob for name, blob in made.items() if name not in own}, out)
        if kind == "vit":
            prefix.fixture(out / "prefix", made, weights.state, pairs, encode, facts, shown.texts)
        print(f"{out / kind}: {sum(map(len, own.values()))} bytes of {sum(map(len, made.values()))}")


def _cuts(seen: list[Image.Image]) -> list[Image.Image]:
    """The quarters of each picture."""
    halves = [(p.size[0] // 2, p.size[1] // 2, p) for p in seen]
    return [p.crop((x, y, x + w, y + h)) for w, h, p in halves for x in (0, w) for y in (0, h)]


def _png(picture: Image.Image) -> bytes:
    side = min(picture.size)
    buffer = io.BytesIO()
    picture.crop((0, 0, side, side)).resize((112, 112), Image.Resampling.BICUBIC).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _centre(state, kind: str, encode, pairs, facts: draft.Facts, shown: draft.Shown) -> None:
    side = facts.resolutions[-1]
    session = runtime.session(towers.image(state, facts.options, side))
    images = np.concatenate([session.run(None, {"image": facts.pixels.prepare(p, side)})[0] for p in shown.pictures])
    if kind == "vit":
        random_models.centre(state, "visual.ln_post", "visual.proj", images)
    else:
        state["visual.attnpool.c_proj.bias"] -= images.mean(0)
    session = runtime.session(towers.text(state, facts.options))
    texts = [session.run(None, {"input_ids": draft.ids(pairs, encode, t, _CONTEXT, _CONTEXT)})[0] for t in shown.texts]
    random_models.centre(state, "ln_final", "text_projection", np.concatenate(texts))

"""CLIP-shaped models that have learned nothing, in open_clip's layout: small, and conditioned so that pictures and texts differ.

Weights keep the size of what passes through. The last norm's bias takes away what all embeddings of the calibration set share, or every
cosine would be near one and say nothing.
"""

import numpy as np

from .layout import State


class Weights:
    """Tensors drawn in order from one seed."""

    def __init__(self, seed: int):
        self.random, self.state = np.random.default_rng(seed), {}

    def put(self, name: str, *shape: int, size: float) -> None:
        self.state[name] = (self.random.standard_normal(shape) * size).astype(np.float32)

    def linear(self, name: str, made: int, fed: int, gain: float = 1.0) -> None:
        self.put(f"{name}.weight", made, fed, size=gain / np.sqrt(fed))
        self.put(f"{name}.bias", made, size=0.02)

    def norm(self, name: str, width: int) -> None:
        self.state[f"{name}.weight"] = (1 + self.random.standard_normal(width) * 0.1).astype(np.float32)
        self.put(f"{name}.bias", width, size=0.05)

    def transformer(self, at: str, width: int, depth: int) -> None:
        for i in range(depth):
            block = f"{at}transformer.resblocks.{i}."
            self.norm(f"{block}ln_1", width)
            self.put(f"{block}attn.in_proj_weight", 3 * width, width, size=1.4 / np.sqrt(width))
            self.put(f"{block}attn.in_proj_bias", 3 * width, size=0.02)
            self.linear(f"{block}attn.out_proj", width, width)
            self.norm(f"{block}ln_2", width)
            self.linear(f"{block}mlp.c_fc", 4 * width, width)
            self.linear(f"{block}mlp.c_proj", width, 4 * width)


def text_tower(weights: Weights, pieces: int, context: int, width: int, depth: int, dimension: int) -> None:
    weights.put("token_embedding.weight", pieces, width, size=0.5)
    weights.put("positional_embedding", context, width, size=0.1)
    weights.transformer("", width, depth)
    weights.norm("ln_final", width)
    weights.put("text_projection", width, dimension, size=1 / np.sqrt(width))
    weights.state["logit_scale"] = np.float32(np.log(50.0))


def vit(weights: Weights, patch: int, grid: int, width: int, depth: int, dimension: int) -> None:
    weights.put("visual.conv1.weight", width, 3, patch, patch, size=1 / np.sqrt(3 * patch))
    weights.put("visual.class_embedding", width, size=0.1)
    weights.put("visual.positional_embedding", grid * grid + 1, width, size=0.3)
    weights.norm("visual.ln_pre", width)
    weights.transformer("visual.", width, depth)
    weights.norm("visual.ln_post", width)
    weights.put("visual.proj", width, dimension, size=1 / np.sqrt(width))


def resnet(weights: Weights, width: int, blocks: tuple[int, ...], grid: int, dimension: int) -> None:
    def conv(name: str, norm: str, made: int, fed: int, size: int) -> None:
        weights.put(f"visual.{name}.weight", made, fed, size, size, size=np.sqrt(2 / (fed * size * size)))
        weights.norm(f"visual.{norm}", made)
        weights.put(f"visual.{norm}.running_mean", made, size=0.1)
        weights.state[f"visual.{norm}.running_var"] = weights.random.uniform(0.5, 1.5, made).astype(np.float32)

    half = width // 2
    for i, (made, fed) in enumerate(((half, 3), (half, half), (width, half)), 1):
        conv(f"conv{i}", f"bn{i}", made, fed, 3)
    fed = width
    for layer, count in enumerate(blocks, 1):
        planes = width * 2 ** (layer - 1)
        for i in range(count):
            at = f"layer{layer}.{i}."
            for part, (made, of, size) in enumerate(((planes, fed, 1), (planes, planes, 3), (4 * planes, planes, 1)), 1):
                conv(f"{at}conv{part}", f"{at}bn{part}", made, of, size)
            if i == 0:
                conv(f"{at}downsample.0", f"{at}downsample.1", 4 * planes, fed, 1)
            fed = 4 * planes
    weights.put("visual.attnpool.positional_embedding", grid * grid + 1, fed, size=0.3)
    for part in "qkv":
        weights.linear(f"visual.attnpool.{part}_proj", fed, fed)
    weights.linear("visual.attnpool.c_proj", dimension, fed)


def centre(state: State, norm: str, projection: str, embeddings: np.ndarray) -> None:
    """Moves `norm`'s bias so that the mean of `embeddings`, which `projection` `[width, d]` made, becomes zero."""
    state[f"{norm}.bias"] -= (np.linalg.pinv(state[projection].T.astype(np.float64)) @ embeddings.mean(0)).astype(np.float32)

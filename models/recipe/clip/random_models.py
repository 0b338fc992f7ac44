"""CLIP-shaped models that have learned nothing, in the layouts that `layout` reads: small, and conditioned so that pictures and texts differ.

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


def siglip_head(weights: Weights, width: int) -> None:
    """The rest of a SigLIP beside `vit` and `text_tower`: no class token, a bias of the patches, the probe, and a projection with bias."""
    state = weights.state
    for name in ("visual.class_embedding", "visual.ln_pre.weight", "visual.ln_pre.bias", "visual.proj"):
        del state[name]
    state["visual.positional_embedding"] = state["visual.positional_embedding"][1:]
    weights.put("visual.conv1.bias", width, size=0.1)
    weights.put("visual.map.probe", width, size=1.0)
    weights.put("visual.map.attn.in_proj_weight", 3 * width, width, size=1.4 / np.sqrt(width))
    weights.put("visual.map.attn.in_proj_bias", 3 * width, size=0.02)
    weights.linear("visual.map.attn.out_proj", width, width)
    weights.norm("visual.map.ln", width)
    weights.linear("visual.map.mlp.c_fc", 4 * width, width)
    weights.linear("visual.map.mlp.c_proj", width, 4 * width)
    weights.put("text_projection_bias", state["text_projection"].shape[1], size=0.02)
    state["logit_scale"], state["logit_bias"] = np.float32(np.log(20.0)), np.float32(-6.0)


class _Branches:
    """Draws the parts of MobileOne's blocks, with all the branches that they are trained with, below `at`."""

    def __init__(self, weights: Weights, at: str, scales: tuple[float, float]):
        self.weights, self.at, self.scales = weights, at, scales

    def batch_norm(self, name: str, channels: int) -> None:
        self.weights.norm(f"{self.at}{name}", channels)
        self.weights.put(f"{self.at}{name}.running_mean", channels, size=0.1)
        self.weights.state[f"{self.at}{name}.running_var"] = self.weights.random.uniform(0.5, 1.5, channels).astype(np.float32)

    def branch(self, name: str, made: int, fed: int, *size: int, gain: float = 1.0) -> None:
        size = size * 2 if len(size) == 1 else size
        self.weights.put(f"{self.at}{name}.conv.weight", made, fed, *size, size=gain * np.sqrt(1 / (fed * size[0] * size[1])))
        self.batch_norm(f"{name}.bn", made)

    def conv(self, name: str, made: int, fed: int, size: float) -> None:
        self.weights.put(f"{self.at}{name}.weight", made, fed, 1, 1, size=size)
        self.weights.put(f"{self.at}{name}.bias", made, size=0.1)

    def excitation(self, name: str, channels: int, hidden: int) -> None:
        for part, made, fed in (("fc1", hidden, channels), ("fc2", channels, hidden)):
            self.conv(f"{name}.se.{part}", made, fed, 1 / np.sqrt(fed))

    def scale(self, name: str, channels: int) -> None:
        self.weights.state[f"{self.at}{name}.gamma"] = self.weights.random.uniform(*self.scales, (channels, 1, 1)).astype(np.float32)

    def mixer(self, block: str, width: int, *size: int) -> None:
        self.batch_norm(f"{block}token_mixer.norm.identity", width)
        self.branch(f"{block}token_mixer.mixer.conv_kxk.0", width, 1, *size)
        self.branch(f"{block}token_mixer.mixer.conv_scale", width, 1, 1)
        self.batch_norm(f"{block}token_mixer.mixer.identity", width)
        self.scale(f"{block}token_mixer.layer_scale", width)
        self.scale(f"{block}layer_scale", width)

    def perceptron(self, block: str, width: int, ratio: int, *size: int) -> None:
        self.branch(f"{block}mlp.conv", width, 1, *size)
        for part, made, fed in (("fc1", ratio * width, width), ("fc2", width, ratio * width)):
            self.conv(f"{block}mlp.{part}", made, fed, np.sqrt(2 / fed))


def mixers_around(weights: Weights, width: int) -> None:
    """Puts a block of convolutions at either end of a text tower, as MobileCLIP-S0 has it."""
    at, state = "transformer.resblocks.", weights.state
    count = 1 + max(int(name.removeprefix(at).split(".")[0]) for name in state if name.startswith(at))
    for i in reversed(range(count)):
        for name in [name for name in state if name.startswith(f"{at}{i}.")]:
            state[name.replace(f"{at}{i}.", f"{at}{i + 1}.")] = state.pop(name)
    for i in (0, count + 1):
        parts = _Branches(weights, f"{at}{i}.", (0.3, 0.7))
        parts.mixer("", width, 1, 11)
        parts.perceptron("", width, 4, 1, 11)


def mci(weights: Weights, widths: tuple[int, ...], blocks: tuple[int, ...], dimension: int) -> None:
    """MobileCLIP's image tower in timm's layout."""
    parts, first = _Branches(weights, "visual.trunk.", (0.05, 0.25)), widths[0]
    parts.branch("stem.0.conv_kxk.0", first, 3, 3)
    parts.branch("stem.0.conv_scale", first, 3, 1, gain=0.5)
    parts.branch("stem.1.conv_kxk.0", first, 1, 3)
    parts.branch("stem.1.conv_scale", first, 1, 1, gain=0.5)
    parts.branch("stem.2.conv_kxk.0", first, first, 1)
    parts.batch_norm("stem.2.identity", first)
    for i, (width, count) in enumerate(zip(widths, blocks)):
        last = i == len(widths) - 1
        if i:
            down = f"stages.{i}.downsample.proj"
            parts.branch(f"{down}.0.large_conv", width, 1, 7)
            parts.branch(f"{down}.0.small_conv", width, 1, 3)
            if i >= 2:
                parts.excitation(f"{down}.0", width, width // 4)
            parts.branch(f"{down}.1.conv_kxk.0", width, width, 1)
            parts.batch_norm(f"{down}.1.identity", width)
        if last:
            weights.put(f"visual.trunk.stages.{i}.pos_emb.pos_enc.weight", width, 1, 7, 7, size=0.1)
            weights.put(f"visual.trunk.stages.{i}.pos_emb.pos_enc.bias", width, size=0.1)
        for j in range(count):
            block = f"stages.{i}.blocks.{j}."
            if last:
                parts.batch_norm(f"{block}norm", width)
                weights.put(f"visual.trunk.{block}token_mixer.qkv.weight", 3 * width, width, size=1.4 / np.sqrt(width))
                weights.linear(f"visual.trunk.{block}token_mixer.proj", width, width)
                parts.scale(f"{block}layer_scale_1", width)
                parts.scale(f"{block}layer_scale_2", width)
            else:
                parts.mixer(block, width, 3)
            parts.perceptron(block, width, 3, 7)
    width = widths[-1]
    parts.branch("final_conv.conv_kxk.0", 2 * width, 1, 3)
    parts.branch("final_conv.conv_scale", 2 * width, 1, 1)
    parts.excitation("final_conv", 2 * width, max(1, width // 8))
    weights.linear("visual.trunk.head.fc", dimension, 2 * width)


def centre(state: State, norm: str, projection: str, mean: np.ndarray) -> None:
    """Moves `norm`'s bias so that the mean of embeddings, which `projection` `[width, d]` made, becomes zero."""
    state[f"{norm}.bias"] -= (np.linalg.pinv(state[projection].T.astype(np.float64)) @ mean).astype(np.float32)

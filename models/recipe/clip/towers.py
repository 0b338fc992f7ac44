"""The towers as ONNX graphs in f32: vision transformer, ModifiedResNet, and the text transformer (Radford et al., 2021); MobileCLIP's image
tower is in `mci`.

An image tower is made for one resolution: its position embedding is interpolated to that grid. A causal text tower takes any number of ids up
to the context, another one the whole context. It pools where the end of the text is, the largest id, or at the last place.
"""

import math
from dataclasses import replace

import numpy as np
import onnx
from PIL import Image

from . import mci
from .graph import OPSET, OPSET_OF_GELU, Graph, ids_input, image_input, pair, projections
from .layout import MOBILECLIP, Options, State, depth, family


def in_bytes(state: State, options: Options) -> Options:
    """The options of the graph that becomes INT8. Between convolutions GELU is the operator that the runtime makes a table of, its approximation:
    the two differ by 0.0005 at the most, less than a byte can tell."""
    tabled = family(state) is MOBILECLIP and options.activation == "gelu"
    return replace(options, activation="gelu-tanh") if tabled else options


def image(state: State, options: Options, side: int) -> onnx.ModelProto:
    if family(state) is MOBILECLIP:
        return mci.tower(state, options, side)
    return resnet(state, options, side) if "visual.attnpool.c_proj.weight" in state else vit(state, options, side)


def interpolated(positions: np.ndarray, grid: int, tokens: int = 1) -> np.ndarray:
    """Position embeddings `[tokens + n * n, d]` of tokens and a square grid, for a grid of `grid` a side: antialiased bicubic."""
    before = math.isqrt(len(positions) - tokens)
    if before * before + tokens != len(positions):
        raise ValueError(f"expected position embeddings of {tokens} class tokens and a square grid, got {len(positions)}")
    if before == grid:
        return positions
    planes = positions[tokens:].reshape(before, before, -1).transpose(2, 0, 1)
    resized = [np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((grid, grid), Image.Resampling.BICUBIC)) for p in planes.astype(np.float32)]
    return np.concatenate([positions[:tokens], np.stack(resized, -1).reshape(grid * grid, -1)])


def vit(state: State, options: Options, side: int) -> onnx.ModelProto:
    weight = state["visual.conv1.weight"]
    width, _, patch, _ = weight.shape
    if side % patch:
        raise ValueError(f"expected resolutions that are multiples of the patch, {patch}, got {side}")
    grid, g, epsilon = side // patch, Graph(), family(state).epsilon
    inputs = ["image", g.constant(weight)] + ([g.constant(state["visual.conv1.bias"])] if "visual.conv1.bias" in state else [])
    x = g.op("Conv", *inputs, name="patches", kernel_shape=[patch] * 2, strides=[patch] * 2)
    x = g.op("Transpose", g.op("Reshape", x, g.integers(1, width, grid * grid)), perm=[0, 2, 1])
    has_class = "visual.class_embedding" in state
    if has_class:
        x = g.op("Concat", g.constant(state["visual.class_embedding"].reshape(1, 1, width)), x, axis=1)
    x = g.op("Add", x, g.constant(interpolated(state["visual.positional_embedding"], grid, int(has_class))[None]))
    if "visual.ln_pre.weight" in state:
        x = g.norm(x, *pair(state, "visual.ln_pre"), epsilon)
    for i in range(depth(state, "visual.transformer.resblocks.")):
        x = g.block(x, state, f"visual.transformer.resblocks.{i}.", options.image_head, options.activation, epsilon)
    if not has_class:
        return g.model(image_input(side), _pooled_by_probe(g, g.norm(x, *pair(state, "visual.ln_post"), epsilon), state, options, epsilon), width)
    x = g.op("Gather", x, g.integers(0), axis=1)
    x = g.norm(x, *pair(state, "visual.ln_post"), epsilon)
    x = g.linear(x, state["visual.proj"].T, None)
    return g.model(image_input(side), x, state["visual.proj"].shape[1])


def _pooled_by_probe(g: Graph, cells: str, state: State, options: Options, epsilon: float) -> str:
    """SigLIP's head `[1, 1, d]`: a learned probe attends to all cells, and a perceptron is added."""
    probe = state["visual.map.probe"][None]
    x = g.attention(probe, cells, projections(state, "visual.map.attn."), pair(state, "visual.map.attn.out_proj"), options.image_head, None)
    return g.op("Add", x, g.perceptron(g.norm(x, *pair(state, "visual.map.ln"), epsilon), state, "visual.map.mlp.", options.activation))


def resnet(state: State, options: Options, side: int) -> onnx.ModelProto:
    """OpenAI's ModifiedResNet: three stem convolutions, pools before strides, attention as the last pool. Batch norms are folded."""
    if side % 32:
        raise ValueError(f"expected resolutions that are multiples of 32, got {side}")
    g = Graph()

    def conv(x: str, name: str, norm: str, stride: int = 1) -> str:
        weight = state[f"visual.{name}.weight"]
        scale = state[f"visual.{norm}.weight"] / np.sqrt(state[f"visual.{norm}.running_var"] + 1e-5)
        bias = state[f"visual.{norm}.bias"] - state[f"visual.{norm}.running_mean"] * scale
        size = weight.shape[-1]
        weight = g.constant(weight * scale[:, None, None, None])
        return g.op("Conv", x, weight, g.constant(bias), name=name, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4)

    def relu(x: str) -> str:
        return g.op("Relu", x)

    def pool(x: str, stride: int) -> str:
        return g.op("AveragePool", x, kernel_shape=[stride] * 2, strides=[stride] * 2) if stride > 1 else x

    x = relu(conv("image", "conv1", "bn1", 2))
    x = pool(relu(conv(relu(conv(x, "conv2", "bn2")), "conv3", "bn3")), 2)
    for layer in range(1, 5):
        for i in range(depth(state, f"visual.layer{layer}.")):
            at, stride = f"layer{layer}.{i}.", 2 if layer > 1 and i == 0 else 1
            y = relu(conv(x, f"{at}conv1", f"{at}bn1"))
            y = pool(relu(conv(y, f"{at}conv2", f"{at}bn2")), stride)
            y = conv(y, f"{at}conv3", f"{at}bn3")
            if f"visual.{at}downsample.0.weight" in state:
                x = conv(pool(x, stride), f"{at}downsample.0", f"{at}downsample.1")
            x = relu(g.op("Add", y, x))
    pooling = {p: (state[f"visual.attnpool.{p}_proj.weight"], state[f"visual.attnpool.{p}_proj.bias"]) for p in "qkvc"}
    width = pooling["q"][0].shape[0]
    cells = g.op("Transpose", g.op("Reshape", x, g.integers(1, width, -1)), perm=[0, 2, 1])
    x = g.op("Concat", g.op("ReduceMean", cells, axes=[1], keepdims=1), cells, axis=1)
    x = g.op("Add", x, g.constant(interpolated(state["visual.attnpool.positional_embedding"], side // 32)[None]))
    x = g.attention(g.op("Gather", x, g.integers(0), axis=1), x, [pooling[p] for p in "qkv"], pooling["c"], options.image_head, None)
    return g.model(image_input(side), x, pooling["c"][0].shape[0])


def text(state: State, options: Options) -> onnx.ModelProto:
    """`input_ids` `[1, l]` to `embedding`. The token table is in i8 with a scale a row."""
    table, positions, kind = state["token_embedding.weight"], state["positional_embedding"], family(state)
    context = len(positions)
    g = Graph(OPSET_OF_GELU if "transformer.resblocks.0.token_mixer.weight" in state else OPSET)
    scales = np.maximum(np.abs(table).max(1, keepdims=True), 1e-9).astype(np.float32) / 127
    rows = g.constant(np.round(table / scales).clip(-127, 127).astype(np.int8))
    x = g.op("Cast", g.op("Gather", rows, "input_ids", axis=0), to=onnx.TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Gather", g.constant(scales), "input_ids", axis=0))
    mask = None
    if kind.causal:
        length = g.op("Slice", g.op("Shape", "input_ids"), g.integers(1), g.integers(2), g.integers(0))
        x = g.op("Add", x, g.op("Slice", g.constant(positions), g.integers(0), length, g.integers(0)))
        mask = g.constant(np.triu(np.full((context, context), -1e9, np.float32), 1))
        mask = g.op("Slice", mask, g.integers(0), length, g.integers(0))
        mask = g.op("Slice", mask, g.integers(0), length, g.integers(1))
    else:
        x = g.op("Add", x, g.constant(positions[None]))
    for i in range(depth(state, "transformer.resblocks.")):
        at = f"transformer.resblocks.{i}."
        if f"{at}token_mixer.weight" in state:
            x = mci.mixed(g, x, state, at, context, options.activation)
        else:
            x = g.block(x, state, at, options.text_head, options.activation, kind.epsilon, mask)
    # Only one place is looked at, so only that is normalised and projected.
    place = g.op("ArgMax", "input_ids", axis=1, keepdims=0) if kind.pools_at_end else g.integers(context - 1)
    x = g.norm(g.op("Gather", x, place, axis=1), *pair(state, "ln_final"), kind.epsilon)
    x = g.linear(x, state["text_projection"].T, state.get("text_projection_bias"))
    return g.model(ids_input("l" if kind.causal else context), x, state["text_projection"].shape[1])

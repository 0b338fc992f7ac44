"""The towers as ONNX graphs in f32: vision transformer, ModifiedResNet, and the causal text transformer (Radford et al., 2021).

An image tower is made for one resolution: its position embedding is interpolated to that grid. The text tower takes any number of ids up to
the context, and pools where the end of the text is, the largest id.
"""

import math

import numpy as np
import onnx
from PIL import Image

from .graph import Graph, ids_input, image_input
from .layout import Options, State, depth


def image(state: State, options: Options, side: int) -> onnx.ModelProto:
    return vit(state, options, side) if "visual.proj" in state else resnet(state, options, side)


def interpolated(positions: np.ndarray, grid: int) -> np.ndarray:
    """Position embeddings `[1 + n * n, d]` of a class token and a square grid, for a grid of `grid` a side: antialiased bicubic."""
    before = math.isqrt(len(positions) - 1)
    if before * before + 1 != len(positions):
        raise ValueError(f"expected position embeddings of a class token and a square grid, got {len(positions)}")
    if before == grid:
        return positions
    planes = positions[1:].reshape(before, before, -1).transpose(2, 0, 1)
    resized = [np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((grid, grid), Image.Resampling.BICUBIC)) for p in planes.astype(np.float32)]
    return np.concatenate([positions[:1], np.stack(resized, -1).reshape(grid * grid, -1)])


def vit(state: State, options: Options, side: int) -> onnx.ModelProto:
    weight = state["visual.conv1.weight"]
    width, _, patch, _ = weight.shape
    if side % patch:
        raise ValueError(f"expected resolutions that are multiples of the patch, {patch}, got {side}")
    grid, g = side // patch, Graph()
    inputs = ["image", g.constant(weight)] + ([g.constant(state["visual.conv1.bias"])] if "visual.conv1.bias" in state else [])
    x = g.op("Conv", *inputs, name="patches", kernel_shape=[patch] * 2, strides=[patch] * 2)
    x = g.op("Transpose", g.op("Reshape", x, g.integers(1, width, grid * grid)), perm=[0, 2, 1])
    x = g.op("Concat", g.constant(state["visual.class_embedding"].reshape(1, 1, width)), x, axis=1)
    x = g.op("Add", x, g.constant(interpolated(state["visual.positional_embedding"], grid)[None]))
    if "visual.ln_pre.weight" in state:
        x = g.norm(x, state["visual.ln_pre.weight"], state["visual.ln_pre.bias"])
    for i in range(depth(state, "visual.transformer.resblocks.")):
        x = g.block(x, state, f"visual.transformer.resblocks.{i}.", options.image_head, options.quick_gelu)
    x = g.op("Gather", x, g.integers(0), axis=1)
    x = g.norm(x, state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    x = g.linear(x, state["visual.proj"].T, None)
    return g.model(image_input(side), x, state["visual.proj"].shape[1])


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
    table, positions = state["token_embedding.weight"], state["positional_embedding"]
    context, width = positions.shape
    g = Graph()
    scales = np.maximum(np.abs(table).max(1, keepdims=True), 1e-9).astype(np.float32) / 127
    rows = g.constant(np.round(table / scales).clip(-127, 127).astype(np.int8))
    x = g.op("Cast", g.op("Gather", rows, "input_ids", axis=0), to=onnx.TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Gather", g.constant(scales), "input_ids", axis=0))
    length = g.op("Slice", g.op("Shape", "input_ids"), g.integers(1), g.integers(2), g.integers(0))
    x = g.op("Add", x, g.op("Slice", g.constant(positions), g.integers(0), length, g.integers(0)))
    mask = g.constant(np.triu(np.full((context, context), -1e9, np.float32), 1))
    mask = g.op("Slice", mask, g.integers(0), length, g.integers(0))
    mask = g.op("Slice", mask, g.integers(0), length, g.integers(1))
    for i in range(depth(state, "transformer.resblocks.")):
        x = g.block(x, state, f"transformer.resblocks.{i}.", options.text_head, options.quick_gelu, mask)
    # Only the end of the text is looked at, so only that is normalised and projected.
    x = g.op("Gather", x, g.op("ArgMax", "input_ids", axis=1, keepdims=0), axis=1)
    x = g.norm(x, state["ln_final.weight"], state["ln_final.bias"])
    x = g.linear(x, state["text_projection"].T, None)
    return g.model(ids_input(), x, state["text_projection"].shape[1])

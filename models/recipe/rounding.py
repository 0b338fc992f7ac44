"""Rounds convolution weights to i8 so that the layer's output, not each weight, is kept.

Rounding to nearest treats weights as if their inputs were independent. Here each weight's rounding error is pushed onto the weights not
yet rounded, along the second moments of the layer's real inputs (GPTQ, Frantar et al., 2023, on the centred moments), and what is left of
the mean output error goes into the bias (Nagel et al., 2019). The int8 graph stays the same: only values of weights, biases and their scales
change.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import helper, numpy_helper

from . import runtime

_DAMPING = 0.01
_LARGEST_BIAS = 2**24  # f32 holds every integer up to here; a dead channel's own weight scale would send its bias to the end of i32
_POSITIONS = 1024  # positions of one picture's map that are looked at, at most


@dataclass
class _Moments:
    """Sums over positions of a layer's flattened input patches: one matrix, or one a channel where the layer is depthwise."""

    count: int
    first: np.ndarray
    second: np.ndarray

    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance."""
        mean = self.first / self.count
        return mean, self.second / self.count - mean[..., :, None] * mean[..., None, :]


def _attribute(node: onnx.NodeProto, name: str):
    return next(helper.get_attribute_value(a) for a in node.attribute if a.name == name)


def _patches(x: np.ndarray, node: onnx.NodeProto) -> np.ndarray:
    """The input patches `[channels, kernel * kernel, positions]` of the output positions, padded as SAME_UPPER does."""
    size, stride = _attribute(node, "kernel_shape")[0], _attribute(node, "strides")[0]
    pads = []
    for side in x.shape[1:]:
        total = max((-(-side // stride) - 1) * stride + size - side, 0)
        pads.append((total // 2, total - total // 2))
    windows = sliding_window_view(np.pad(x, [(0, 0), *pads]), (size, size), axis=(1, 2))[:, ::stride, ::stride]
    rows = windows.reshape(x.shape[0], -1, size * size)
    return rows[:, :: -(-rows.shape[1] // _POSITIONS)].transpose(0, 2, 1)


def _observe(model: onnx.ModelProto, inputs: list[np.ndarray]) -> dict[str, _Moments]:
    """Moments of every convolution's input over `inputs`."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    sources = sorted({node.input[0] for node in convolutions} - {"image"})
    exposed = onnx.ModelProto.FromString(model.SerializeToString())
    exposed.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in sources)
    session = runtime.session(exposed, optimised=True)
    moments: dict[str, _Moments] = {}
    for image in inputs:
        values = dict(zip(sources, session.run(sources, {"image": image}))) | {"image": image}
        for node in convolutions:
            x = _patches(values[node.input[0]][0], node)
            if _attribute(node, "group") == 1:
                x = x.reshape(1, -1, x.shape[2])
            seen = moments.setdefault(node.name, _Moments(0, 0.0, 0.0))
            seen.count += x.shape[2]
            seen.first = seen.first + x.sum(2, dtype=np.float64)
            seen.second = seen.second + (x @ x.transpose(0, 2, 1)).astype(np.float64)
    return moments


def _round_rows(weight: np.ndarray, scale: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """`weight` `[rows, columns]` on the grid of each row's `scale`, minding how the columns' inputs vary together."""
    columns = weight.shape[1]
    damping = _DAMPING * max(np.trace(covariance) / columns, 1e-9)
    inverse = np.linalg.inv(covariance + damping * np.eye(columns))
    factor = np.linalg.cholesky(inverse).T  # upper triangular, inverse = factor.T @ factor
    left, rounded = weight.astype(np.float64), np.zeros(weight.shape, np.int8)
    for column in range(columns):
        rounded[:, column] = np.round(left[:, column] / scale).clip(-127, 127)
        error = (left[:, column] - rounded[:, column] * scale) / factor[column, column]
        left[:, column + 1 :] -= error[:, None] * factor[None, column, column + 1 :]
    return rounded


def refine(fp32: onnx.ModelProto, int8: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """`int8` with its weights and biases rounded anew for the activations that `fp32` has on `inputs`."""
    refined = onnx.ModelProto.FromString(int8.SerializeToString())
    stored = {t.name: t for t in refined.graph.initializer}
    floats = {t.name: numpy_helper.to_array(t) for t in fp32.graph.initializer}
    dequantizers = {node.output[0]: node for node in refined.graph.node if node.op_type == "DequantizeLinear"}
    moments = _observe(fp32, inputs)
    nodes = {node.name: node for node in refined.graph.node if node.op_type == "Conv"}
    for original in fp32.graph.node:
        if original.op_type != "Conv":
            continue
        node = nodes[original.name]
        quantized_weight, weight_scale = dequantizers[node.input[1]].input[:2]
        quantized_bias, bias_scale = dequantizers[node.input[2]].input[:2]
        weight, bias = floats[original.input[1]], floats[original.input[2]]
        input_scale = numpy_helper.to_array(stored[dequantizers[node.input[0]].input[1]]).astype(np.float64)
        stored_scale = np.maximum(numpy_helper.to_array(stored[weight_scale]), np.abs(bias) / (input_scale * _LARGEST_BIAS)).astype(np.float32)
        scale = stored_scale.astype(np.float64)
        grid = (input_scale * scale).astype(np.float32)
        mean, covariance = moments[original.name].centred()
        flat = weight.reshape(len(weight), -1)
        groups = np.array_split(np.arange(len(weight)), len(mean))
        rounded = np.concatenate([_round_rows(flat[rows], scale[rows], covariance[g]) for g, rows in enumerate(groups)])
        lost = flat - rounded * scale[:, None]
        shift = np.concatenate([lost[rows] @ mean[g] for g, rows in enumerate(groups)])
        new_bias = np.round((bias + shift) / grid.astype(np.float64)).astype(np.int32)
        values = {quantized_weight: rounded.reshape(weight.shape), weight_scale: stored_scale, quantized_bias: new_bias, bias_scale: grid}
        for name, value in values.items():
            stored[name].CopyFrom(numpy_helper.from_array(value, name))
    onnx.checker.check_model(refined)
    return refined

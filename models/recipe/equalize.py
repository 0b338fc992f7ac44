"""Scales the channels of the linear bottlenecks to like sizes, so that one range a tensor suits them all.

Between a projection and the expansions that read it, through the additions, all is linear: a channel may be multiplied where it is written
and divided where it is read (Nagel et al., 2019), and the network computes the same. What is quantized in between has one step for all
channels, set by the largest; with channels of like size the smaller ones lose less.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from . import runtime

_POWER = 8  # the size of a channel is this mean: what its large values reach, without the one extreme


def _bottlenecks(model: onnx.ModelProto) -> list[set[str]]:
    """The linear tensors, in sets that additions tie to each other."""
    fixed = {node.input[0] for node in model.graph.node if node.op_type == "Clip"} | {output.name for output in model.graph.output}
    sets: list[set[str]] = []
    for node in model.graph.node:
        if node.op_type == "Conv" and node.output[0] not in fixed:
            sets.append({node.output[0]})
        elif node.op_type == "Add":
            tied = [s for s in sets if s & set(node.input)]
            sets = [s for s in sets if s not in tied] + [set().union(node.output, *tied)]
    return sets


def _sizes(model: onnx.ModelProto, names: list[str], inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The size of each tensor's channels, the largest being 1."""
    exposed = onnx.ModelProto.FromString(model.SerializeToString())
    exposed.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session, sums = runtime.session(exposed, optimised=True), dict.fromkeys(names, 0.0)
    for image in inputs:
        for name, value in zip(names, session.run(names, {"image": image})):
            sums[name] = sums[name] + (value[0].astype(np.float64) ** _POWER).mean((1, 2))
    return {name: (total / total.max()) ** (1 / _POWER) for name, total in sums.items()}


def equalize(model: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """`model` with its bottlenecks' channels scaled by what `inputs` show."""
    equal = onnx.ModelProto.FromString(model.SerializeToString())
    stored = {t.name: t for t in equal.graph.initializer}
    sets = _bottlenecks(model)
    sizes = _sizes(model, sorted(set().union(*sets)), inputs)

    def multiply(name: str, factor: np.ndarray) -> None:
        stored[name].CopyFrom(numpy_helper.from_array((numpy_helper.to_array(stored[name]) * factor).astype(np.float32), name))

    for tied in sets:
        scale = 1 / np.sqrt(np.mean([sizes[name] ** 2 for name in sorted(tied)], 0))
        for node in model.graph.node:
            if node.op_type == "Conv" and node.output[0] in tied:
                multiply(node.input[1], scale[:, None, None, None])
                multiply(node.input[2], scale)
            if node.op_type == "Conv" and node.input[0] in tied:
                multiply(node.input[1], 1 / scale[:, None, None])
    onnx.checker.check_model(equal)
    return equal

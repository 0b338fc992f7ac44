"""Narrows activation ranges: the extremes of many pictures would spend most of the 256 steps on values that hardly occur.

The range of a tensor is the one with the least mean cube of the error over calibration pictures: rounding errors inside, what is cut off
outside. The cube, not the square, because a rare large value is more often what the network looks for than a small one.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from . import runtime

_BINS = 4096
_SHARES = [round(1 - 0.05 * i, 2) for i in range(17)]  # of the extreme that may be kept


def _narrowest(shares: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The range within `low..high` with the least mean cube of the error, for values with this histogram."""
    values = low + (np.arange(_BINS) + 0.5) * (high - low) / _BINS

    def error(ends: tuple[float, float]) -> float:
        step = (ends[1] - ends[0]) / 255
        outside = np.maximum(values - ends[1], 0) + np.maximum(ends[0] - values, 0)
        # The mean cube of an error that lies evenly within half a step is step^3 / 32.
        return float((shares * np.where(outside > 0, outside**3, step**3 / 32)).sum())

    return min(((low * a, high * b) for a in (_SHARES if low < 0 else [1.0]) for b in _SHARES), key=error)


def narrow(fp32: onnx.ModelProto, int8: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """`int8` with narrower ranges of its inner activations; weights and biases are left to `rounding`."""
    narrowed = onnx.ModelProto.FromString(int8.SerializeToString())
    stored = {t.name: t for t in narrowed.graph.initializer}
    inner = {node.output[0] for node in fp32.graph.node} - {o.name for o in fp32.graph.output}
    quantizers = {n.input[0]: n.input[1:3] for n in narrowed.graph.node if n.op_type == "QuantizeLinear" and n.input[0] in inner}
    names, ends = list(quantizers), {}
    for name, (scale, zero) in quantizers.items():
        step, place = numpy_helper.to_array(stored[scale]).item(), numpy_helper.to_array(stored[zero]).item()
        ends[name] = (-place * step, (255 - place) * step)

    exposed = onnx.ModelProto.FromString(fp32.SerializeToString())
    exposed.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session, shares = runtime.session(exposed, optimised=True), dict.fromkeys(names, 0.0)
    for image in inputs:
        for name, value in zip(names, session.run(names, {"image": image})):
            shares[name] = shares[name] + np.histogram(value, _BINS, ends[name])[0] / value.size

    for name, (scale, zero) in quantizers.items():
        low, high = _narrowest(shares[name], *ends[name])
        step = np.float32((high - low) / 255)
        stored[scale].CopyFrom(numpy_helper.from_array(np.array(step), scale))
        stored[zero].CopyFrom(numpy_helper.from_array(np.array(round(-low / step), np.uint8), zero))
    return narrowed

"""Puts the stem's dead channels to work: each becomes another copy of a loud channel, a part of a quantization step away.

Four channels of the stem are dead: no weights and a negative bias, so nothing is left after the ReLU6. Others hold small values that large
depthwise weights multiply (edge filters), and with them the rounding of activations to u8: one such channel gives nearly half of the
stem's noise, and a picture with large flat areas cannot average it away. A dead channel costs as much as a live one, so it takes over a
copy of the loudest, its bias shifted by a part of a step; the projection reads the mean of the copies, whose rounding errors largely
cancel. In exact arithmetic nothing changes, but where the shift lifts a negative value over zero, by less than a step.
"""

import numpy as np
import onnx
from onnx import numpy_helper

_NAMES = ["stem_w", "stem_b", "block0_depthwise_w", "block0_depthwise_b", "block0_project_w"]
_DEAD = 1e-3  # no weight is larger
_STEP = 6 / 255  # of a ReLU6 in u8


def _copies(dead: np.ndarray, loudness: np.ndarray) -> list[list[int]]:
    """Each live channel with the dead ones that it gets, chosen so that the least noise is left."""
    copies = {channel: [channel] for channel in range(len(dead)) if not dead[channel]}
    for channel in np.flatnonzero(dead).tolist():
        # The mean of k copies has a k-th of the step, and the square of that in noise.
        loudest = max(copies, key=lambda c: loudness[c] * (len(copies[c]) ** -2 - (len(copies[c]) + 1) ** -2))
        copies[loudest].append(channel)
    return list(copies.values())


def fill(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with copies in its stem's dead channels."""
    filled = onnx.ModelProto.FromString(model.SerializeToString())
    stored = {t.name: t for t in filled.graph.initializer}
    values = [numpy_helper.to_array(stored[name]).copy() for name in _NAMES]
    stem, stem_bias, depthwise, depthwise_bias, projection = values
    dead = (np.abs(stem).max((1, 2, 3)) < _DEAD) & (stem_bias < 0)
    loudness = (depthwise**2).sum((1, 2, 3)) * (projection**2).sum((0, 2, 3))
    for places in _copies(dead, loudness):
        source, shifts = places[0], _STEP * np.arange(len(places)) / len(places)
        stem[places], stem_bias[places] = stem[source], stem_bias[source] + shifts
        depthwise[places], depthwise_bias[places] = depthwise[source], depthwise_bias[source] - shifts * depthwise[source].sum()
        projection[:, places] = projection[:, [source]] / len(places)
    for name, value in zip(_NAMES, values):
        stored[name].CopyFrom(numpy_helper.from_array(value, name))
    onnx.checker.check_model(filled)
    return filled

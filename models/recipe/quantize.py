"""Static INT8: u8 activations, s8 weights per output channel, QDQ form, ranges seen at every resolution that is used.

The pool stays in f32: its input is the quantized map, so `features` is the exact mean of `map` and needs no range of its own.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static


class _Inputs(CalibrationDataReader):
    def __init__(self, inputs: list[np.ndarray]):
        self.inputs = iter(inputs)

    def get_next(self):
        image = next(self.inputs, None)
        return None if image is None else {"image": image}


def quantize(model: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """The INT8 twin of `model`, its activation ranges the extremes over `inputs`."""
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "fp32.onnx", Path(scratch) / "int8.onnx"
        onnx.save(model, source)
        logging.disable(logging.WARNING)  # advice to fold batch norms first: the export has done that
        quantize_static(
            source,
            target,
            _Inputs(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", "Clip"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        logging.disable(logging.NOTSET)
        quantized = onnx.load(target)
    # Symbolic intermediate shapes make strict importers fail, and say nothing that shape inference does not.
    del quantized.graph.value_info[:]
    quantized.producer_name, quantized.producer_version, quantized.doc_string = "ocellus-recipe", "", ""
    onnx.checker.check_model(quantized)
    return quantized

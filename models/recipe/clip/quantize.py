"""Static INT8 in QDQ form: u8 activations by the ranges seen, s8 weights per output channel.

Products with weights and convolutions are quantized. What a transformer computes of its own activations (scores, softmax, norms, GELU, the
residual stream) stays in f32: its outliers would cost more than the few multiplications save.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static


class _Inputs(CalibrationDataReader):
    def __init__(self, name: str, inputs: list[np.ndarray]):
        self.name, self.inputs = name, iter(inputs)

    def get_next(self):
        value = next(self.inputs, None)
        return None if value is None else {self.name: value}


def quantize(model: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """The INT8 twin of `model`, its activation ranges the extremes over `inputs`."""
    constants = {tensor.name for tensor in model.graph.initializer}
    own = [n.name for n in model.graph.node if n.op_type == "MatMul" and n.input[1] not in constants]
    residual = [n.name for n in model.graph.node if n.op_type == "Add" and not _of_convolutions(model, n)]
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "fp32.onnx", Path(scratch) / "int8.onnx"
        onnx.save(model, source)
        logging.disable(logging.WARNING)
        quantize_static(
            source,
            target,
            _Inputs(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Add", "Relu"],
            nodes_to_exclude=own + residual,
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


def _of_convolutions(model: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Whether `node` adds what convolutions made."""
    makers = {out: n for n in model.graph.node for out in n.output}
    return all(name in makers and makers[name].op_type in ("Conv", "Relu", "AveragePool") for name in node.input)

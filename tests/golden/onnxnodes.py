"""ONNX's own backend tests of the quantized operators, of LayerNormalization, Softmax and Gelu: `python onnxnodes.py` writes `onnxnodes.safetensors` beside itself.

Needs numpy 2.4.6, onnx 1.23.2 and safetensors 0.8.0. Cases with types other than f32, u8, i8 and i32 are left out.

An encoder is fed one tensor of f32 and gives tensors of f32, and its scales are constants. So the first input of each case
is fed through a Cast, the others become constants, and every output goes through a Cast. For each case the file holds
`CASE.model` (u8, the ONNX file: `in` f32 in), `CASE.in` (f32) and `CASE.out0`, `CASE.out1`, .. (f32, outputs of those names).
"""

import os
import sys
import warnings
from pathlib import Path

# The packages beside this file have names of their own.
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

_OPERATORS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
_REAL = {"LayerNormalization": 17, "Softmax": 17, "Gelu": 20}
_TYPES = {np.dtype(t) for t in (np.float32, np.uint8, np.int8, np.int32)}
_IR = 8


def wrapped(node: onnx.NodeProto, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> onnx.ModelProto:
    """The node between Casts."""
    kinds = [helper.np_dtype_to_tensor_dtype(value.dtype) for value in (*inputs, *outputs)]
    names = [name for name in node.input if name]
    constants = [numpy_helper.from_array(value, name) for name, value in zip(names[1:], inputs[1:])]
    nodes = [helper.make_node("Cast", ["in"], [names[0]], to=kinds[0]), node]
    nodes += [helper.make_node("Cast", [name], [f"out{i}"], to=TensorProto.FLOAT) for i, name in enumerate(node.output)]
    made = [helper.make_tensor_value_info(f"out{i}", TensorProto.FLOAT, value.shape) for i, value in enumerate(outputs)]
    graph = helper.make_graph(nodes, "case", [helper.make_tensor_value_info("in", TensorProto.FLOAT, inputs[0].shape)], made, constants)
    opset = _REAL.get(node.op_type, 13)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=_IR)


def main() -> None:
    warnings.simplefilter("ignore")
    made = {}
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        # Blocks of scales came with a later operator set; the expanded forms are other operators.
        blocked = any(attribute.name in ("block_size", "output_dtype") for node in nodes for attribute in node.attribute)
        if len(nodes) != 1 or nodes[0].op_type not in (*_OPERATORS, *_REAL) or blocked:
            continue
        ((inputs, outputs),) = case.data_sets
        if not all(hasattr(value, "dtype") and value.dtype in _TYPES for value in (*inputs, *outputs)):
            continue
        inputs, outputs = ([np.asarray(value) for value in values] for values in (inputs, outputs))
        print(case.name, inputs[0].dtype, inputs[0].shape, [value.shape for value in outputs])
        made[f"{case.name}.model"] = np.frombuffer(wrapped(nodes[0], inputs, outputs).SerializeToString(deterministic=True), np.uint8)
        made[f"{case.name}.in"] = np.asarray(inputs[0], np.float32)
        made |= {f"{case.name}.out{i}": np.asarray(value, np.float32) for i, value in enumerate(outputs)}
    save_file(made, Path(__file__).with_suffix(".safetensors"), {"onnx": onnx.__version__})


if __name__ == "__main__":
    main()

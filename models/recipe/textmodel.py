"""The text encoder as an ONNX graph: look the pieces up, scale them, sum them, normalise."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .words import Table


def export(table: Table) -> onnx.ModelProto:
    """`input_ids` `[1, l]` to `tokens` `[1, l, d]` and `embedding` `[1, d]`."""
    constants = {"table": table.rows, "scale": table.scales[:, None], "over_tokens": np.array([1], np.int64)}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"], "rows", axis=0),
        helper.make_node("Cast", ["rows"], ["rows_f32"], "rows_f32", to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scale", "input_ids"], ["scales"], "scales", axis=0),
        helper.make_node("Mul", ["rows_f32", "scales"], ["tokens"], "tokens"),
        helper.make_node("ReduceSum", ["tokens", "over_tokens"], ["sum"], "sum", keepdims=0),
        helper.make_node("ReduceL2", ["sum"], ["length"], "length", axes=[1], keepdims=1),
        helper.make_node("Div", ["sum", "length"], ["embedding"], "embedding"),
    ]
    outputs = [
        helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [1, "l", table.dimension]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, table.dimension]),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "l"])]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "static_text", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="ocellus-recipe")
    onnx.checker.check_model(model)
    return model

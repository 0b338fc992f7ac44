"""What onnxruntime makes of small dynamically quantized graphs: `python dynamic.py` writes `dynamic.safetensors` beside itself.

Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0 and safetensors 0.8.0. Weights have seven bits, so that no build of
onnxruntime saturates a pair of products, and every CPU sums alike.

For each case the file holds `CASE.model` (u8, the ONNX file: `x` f32 in, `y` f32 out), `CASE.x` and `CASE.y` (f32).
"""

import os
import sys
from pathlib import Path

# The packages beside this file have names of their own.
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

_OPSET, _IR = 17, 8


def model(op, shape, weights_shape, seed, *, axis, per_channel, bias=True, unsigned=False, zero_point=0, **attributes) -> ModelProto:
    """The operator `op` on `x`, quantized when it runs, scaled to reals; the channels of the weights are on `axis`."""
    random = np.random.default_rng(seed)
    real = random.standard_normal(weights_shape).astype(np.float32)
    others = tuple(i for i in range(len(weights_shape)) if i != axis)
    scale = (np.abs(real).max(others if per_channel else None) / 63).astype(np.float32)
    along = scale.reshape([-1 if i == axis else 1 for i in range(len(weights_shape))]) if per_channel else scale
    kind = np.uint8 if unsigned else np.int8
    stored = (np.round(real / along).clip(-63, 63) + zero_point).astype(kind)
    # What is said of channels lies along the last axis of a product and along the second of a map.
    form = (lambda values: values) if op == "MatMulInteger" else (lambda values: values.reshape(1, -1, 1, 1))
    constants = {"w": stored, "w_zero": np.full(scale.shape, zero_point, kind), "w_scale": form(scale) if per_channel else scale}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["x_q", "x_scale", "x_zero"]),
        helper.make_node("Mul", ["x_scale", "w_scale"], ["scale"]),
        helper.make_node(op, ["x_q", "w", "x_zero", "w_zero"], ["sums"], **attributes),
        helper.make_node("Cast", ["sums"], ["reals"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["reals", "scale"], ["scaled"]),
    ]
    if bias:
        constants["b"] = form(random.standard_normal(weights_shape[axis]).astype(np.float32))
        nodes.append(helper.make_node("Add", ["scaled", "b"], ["y"]))
    else:
        nodes[-1].output[0] = "y"
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "case", info, out, [numpy_helper.from_array(value, name) for name, value in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)


def cases():
    """Name, shape of the input, and model. What begins with `engine` has no kernel of ours."""
    rows, tokens, image = (5, 40), (2, 7, 48), (2, 3, 13, 10)
    yield "rows", rows, model("MatMulInteger", rows, (40, 30), 1, axis=1, per_channel=False, bias=False)
    yield "tokens", tokens, model("MatMulInteger", tokens, (48, 33), 2, axis=1, per_channel=True)
    yield "heads", (2, 3, 5, 16), model("MatMulInteger", (2, 3, 5, 16), (16, 8), 3, axis=1, per_channel=True)
    yield "unsigned", rows, model("MatMulInteger", rows, (40, 17), 4, axis=1, per_channel=False, unsigned=True, zero_point=128)
    convolution = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2])
    yield "convolution", image, model("ConvInteger", image, (9, 3, 3, 3), 5, axis=0, per_channel=False, **convolution)
    yield "patches", (1, 3, 16, 12), model("ConvInteger", (1, 3, 16, 12), (20, 3, 4, 4), 6, axis=0, per_channel=False, bias=False, kernel_shape=[4, 4], strides=[4, 4])
    yield "engine_zero_point", rows, model("MatMulInteger", rows, (40, 17), 7, axis=1, per_channel=False, zero_point=5)
    yield "engine_groups", (1, 4, 9, 9), model("ConvInteger", (1, 4, 9, 9), (4, 2, 3, 3), 8, axis=0, per_channel=False, kernel_shape=[3, 3], group=2)


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = {}
    for name, shape, proto in cases():
        blob = proto.SerializeToString(deterministic=True)
        x = (np.random.default_rng(1000).standard_normal(shape) * 1.7 + 0.4).astype(np.float32)
        (y,) = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"]).run(["y"], {"x": x})
        print(name, y.shape, float(np.abs(y).max()))
        made |= {f"{name}.model": np.frombuffer(blob, np.uint8), f"{name}.x": x, f"{name}.y": y}
    path = Path(__file__).with_suffix(".safetensors")
    save_file(made, path, {"onnxruntime": onnxruntime.__version__})
    path.chmod(0o644)


if __name__ == "__main__":
    main()

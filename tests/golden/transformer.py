"""What onnxruntime makes of a small transformer that is quantized throughout: `python transformer.py` writes `transformer.safetensors`
beside itself.

Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0 and safetensors 0.8.0. A block of attention, an MLP with GELU and one with
QuickGELU; every operator that computes, LayerNormalization and Softmax among them, stands between DequantizeLinear and
QuantizeLinear. onnxruntime runs the graph as it stands, without its optimizer, so that its answer is the graph's own.

The file holds `model` (u8, the ONNX file: `x` f32 in, `y` f32 out), `x`, `y` (f32), `real` (f32: `y` before quantization)
and `scale` (f32 [1]: a step of `y`).
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
_TOKENS, _WIDTH, _HEADS, _HIDDEN = 18, 24, 2, 48
_MOVES = ("Reshape", "Transpose")


class Net:
    """Nodes and constants in f32, and which of the constants are weights of products."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.weights = [], {}, set()

    def op(self, op: str, *inputs: str, **attributes) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"/{name}", **attributes))
        return name

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def linear(self, x: str, fed: int, made: int) -> str:
        w = self.constant((self.random.standard_normal((fed, made)) / np.sqrt(fed)).astype(np.float32))
        self.weights.add(w)
        b = self.constant((self.random.standard_normal(made) * 0.1).astype(np.float32))
        return self.op("Add", self.op("MatMul", x, w), b)

    def norm(self, x: str) -> str:
        scale = self.constant((1 + self.random.standard_normal(_WIDTH) * 0.1).astype(np.float32))
        bias = self.constant((self.random.standard_normal(_WIDTH) * 0.1).astype(np.float32))
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

    def attention(self, x: str) -> str:
        each = _WIDTH // _HEADS
        split = self.constant(np.array([1, _TOKENS, _HEADS, each], np.int64))

        def heads(perm: list[int]) -> str:
            return self.op("Transpose", self.op("Reshape", self.linear(x, _WIDTH, _WIDTH), split), perm=perm)

        q, k, v = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
        scores = self.op("Mul", self.op("MatMul", q, k), self.constant(np.float32(each**-0.5)))
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), v)
        joined = self.constant(np.array([1, _TOKENS, _WIDTH], np.int64))
        return self.linear(self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), joined), _WIDTH, _WIDTH)

    def gelu(self, x: str) -> str:
        half, one, root = (self.constant(np.float32(value)) for value in (0.5, 1, np.sqrt(2)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", self.op("Erf", self.op("Div", x, root)), one)), half)

    def quick_gelu(self, x: str) -> str:
        return self.op("Mul", x, self.op("Sigmoid", self.op("Mul", x, self.constant(np.float32(1.702)))))

    def model(self, nodes, constants, outputs: list[str]) -> ModelProto:
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _TOKENS, _WIDTH])]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
        graph = helper.make_graph(nodes, "transformer", info, made, tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)

    def quantized(self, values: dict[str, np.ndarray], output: str) -> tuple[ModelProto, float]:
        """Every operator between conversions, by the ranges of `values`; its output is `y`."""
        nodes, constants, steps = [], dict(self.constants), {}

        def conversions(name: str, to: str) -> None:
            low, high = min(float(values[name].min()), 0.0), max(float(values[name].max()), 0.0)
            scale = np.float32((high - low) / 255)
            constants[f"{name}_scale"], constants[f"{name}_zero"] = scale, np.uint8(round(-low / float(scale)))
            meaning = [f"{name}_scale", f"{name}_zero"]
            nodes.append(helper.make_node("QuantizeLinear", [name, *meaning], [f"{name}_q"]))
            nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *meaning], [to]))
            steps[name] = float(scale)

        for name in self.weights:
            scale = (np.abs(constants[name]).max(0) / 63).astype(np.float32)
            constants[name] = np.round(constants[name] / scale).clip(-63, 63).astype(np.int8)
            constants[f"{name}_scale"], constants[f"{name}_zero"] = scale, np.zeros(scale.shape, np.int8)
            nodes.append(helper.make_node("DequantizeLinear", [name, f"{name}_scale", f"{name}_zero"], [f"{name}_r"], axis=1))
        conversions("x", "x_r")
        for node in self.nodes:
            node = helper.make_node(node.op_type, [f"{i}_r" if i in self.weights or i in values else i for i in node.input], node.output, name=node.name, **{a.name: helper.get_attribute_value(a) for a in node.attribute})
            nodes.append(node)
            name = node.output[0]
            conversions(name, "y" if name == output else f"{name}_r")
        return self.model(nodes, constants, ["y"]), steps[output]


def run(model: ModelProto, x: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def main() -> None:
    net = Net(5)
    x = np.random.default_rng(6).standard_normal((1, _TOKENS, _WIDTH)).astype(np.float32)
    last = net.op("Add", "x", net.attention(net.norm("x")))
    last = net.op("Add", last, net.linear(net.gelu(net.linear(net.norm(last), _WIDTH, _HIDDEN)), _HIDDEN, _WIDTH))
    last = net.op("Add", last, net.linear(net.quick_gelu(net.linear(net.norm(last), _WIDTH, _HIDDEN)), _HIDDEN, _WIDTH))
    names = [node.output[0] for node in net.nodes]
    values = dict(zip(names, run(net.model(net.nodes, net.constants, names), x))) | {"x": x}
    model, scale = net.quantized(values, last)
    (y,) = run(model, x)
    apart = np.abs(y - values[last])
    print(f"{len(net.nodes)} operators; {apart.max() / scale:.1f} steps from f32 at the most, {apart.mean() / scale:.2f} on average")
    made = {"model": np.frombuffer(model.SerializeToString(deterministic=True), np.uint8), "x": x, "y": y}
    path = Path(__file__).with_suffix(".safetensors")
    save_file(made | {"real": values[last], "scale": np.array([scale], np.float32)}, path, {"onnxruntime": onnxruntime.__version__})
    path.chmod(0o644)


if __name__ == "__main__":
    main()

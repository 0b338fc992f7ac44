"""What onnxruntime makes of pieces of transformers in f32, as exporters write them: `python pieces.py` writes `pieces.safetensors`
beside itself.

Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0 and safetensors 0.8.0. For each case the file holds `CASE.model` (u8, the ONNX
file: `x` f32 in, `y` f32 out), `CASE.x`, `CASE.y` (f32) and `CASE.kernels` (u8 [4]: how many operators of attention, of
LayerNormalization, of Softmax and of GELU a plan has, where it recognises what is to be recognised).
"""

import os
import sys
from pathlib import Path

# The packages beside this file have names of their own.
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

_TOKENS, _WIDTH, _HEADS = 23, 40, 2
_EACH = _WIDTH // _HEADS


class Net:
    """A graph that grows."""

    def __init__(self, seed: int, shape=(1, _TOKENS, _WIDTH), opset: int = 17):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.shape, self.opset = [], {}, shape, opset
        self.x = self.random.standard_normal(shape).astype(np.float32)

    def op(self, op: str, *inputs: str, outputs: int = 1, **attributes):
        names = [f"{op.lower()}_{len(self.nodes)}_{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"/{names[0]}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value, kind=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, kind)
        return name

    def normal(self, *shape: int, scale: float = 1.0, shift: float = 0.0) -> str:
        return self.constant(self.random.standard_normal(shape) * scale + shift)

    def shaped(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.constant(shape, np.int64))

    def linear(self, x: str, fed: int = _WIDTH, made: int = _WIDTH) -> str:
        return self.op("Add", self.op("MatMul", x, self.normal(fed, made, scale=fed**-0.5)), self.normal(made, scale=0.1))

    def case(self, y: str, attention=0, norms=0, softmaxes=0, gelus=0) -> dict[str, np.ndarray]:
        self.nodes.append(helper.make_node("Identity", [y], ["y"]))
        tensors = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        info = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "pieces", [info], [made], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        (y,) = session.run(None, {"x": self.x})
        kernels = np.array([attention, norms, softmaxes, gelus], np.uint8)
        return {"model": np.frombuffer(model.SerializeToString(deterministic=True), np.uint8), "x": self.x, "y": y, "kernels": kernels}


def heads(net: Net, x: str, perm=(0, 2, 1, 3), batch: int = 1) -> str:
    return net.op("Transpose", net.shaped(x, batch, _TOKENS, _HEADS, _EACH), perm=list(perm))


def joined(net: Net, x: str, batch: int = 1) -> str:
    return net.shaped(net.op("Transpose", x, perm=[0, 2, 1, 3]), batch, _TOKENS, _WIDTH)


def attention_scaled_behind(net: Net) -> str:
    """Keys are columns; scores are scaled."""
    q, k, v = heads(net, net.linear("x")), heads(net, net.linear("x"), (0, 2, 3, 1)), heads(net, net.linear("x"))
    scores = net.op("Mul", net.op("MatMul", q, k), net.constant(_EACH**-0.5))
    return joined(net, net.op("MatMul", net.op("Softmax", scores, axis=-1), v))


def attention_divided(net: Net) -> str:
    """Scores are divided, and the tokens are two pictures'."""
    q, k, v = heads(net, net.linear("x"), batch=2), heads(net, net.linear("x"), (0, 2, 3, 1), batch=2), heads(net, net.linear("x"), batch=2)
    scores = net.op("Div", net.op("MatMul", q, k), net.constant(_EACH**0.5))
    return joined(net, net.op("MatMul", net.op("Softmax", scores, axis=3), v), batch=2)


def attention_of_flat_heads(net: Net) -> str:
    """Queries are scaled, heads are a batch, keys are turned again, and a mask hides what comes later: a text tower."""
    q, k, v = (net.shaped(heads(net, x), _HEADS, _TOKENS, _EACH) for x in (net.op("Mul", net.linear("x"), net.constant([_EACH**-0.5])), net.linear("x"), net.linear("x")))
    scores = net.op("MatMul", q, net.op("Transpose", k, perm=[0, 2, 1]))
    mask = net.constant(np.triu(np.full((1, 1, _TOKENS, _TOKENS), -1e9), 1))
    scores = net.op("Add", net.shaped(scores, 1, _HEADS, _TOKENS, _TOKENS), mask)
    weights = net.op("Softmax", net.shaped(scores, _HEADS, _TOKENS, _TOKENS), axis=-1)
    return joined(net, net.shaped(net.op("MatMul", weights, v), 1, _HEADS, _TOKENS, _EACH))


def attention_masked(net: Net) -> str:
    """Scaled and masked, the mask for all heads, in minus infinities."""
    q, k, v = heads(net, net.linear("x")), heads(net, net.linear("x"), (0, 2, 3, 1)), heads(net, net.linear("x"))
    scores = net.op("Mul", net.op("MatMul", q, k), net.constant(_EACH**-0.5))
    mask = net.constant(np.triu(np.full((_TOKENS, _TOKENS), -np.inf), 1))
    return joined(net, net.op("MatMul", net.op("Softmax", net.op("Add", mask, scores), axis=-1), v))


def attention_of_one_product(net: Net) -> str:
    """Queries, keys and values are one product that is cut in three."""
    qkv = net.shaped(net.linear("x", _WIDTH, 3 * _WIDTH), 1, _TOKENS, 3, _HEADS, _EACH)
    qkv = net.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (net.op("Gather", qkv, net.constant(at, np.int64), axis=0) for at in range(3))
    q, k = (net.op("Mul", x, net.constant(_EACH**-0.25)) for x in (q, net.op("Transpose", k, perm=[0, 1, 3, 2])))
    return joined(net, net.op("MatMul", net.op("Softmax", net.op("MatMul", q, k), axis=-1), v))


def attention_that_is_seen(net: Net) -> str:
    """Weights that something else reads as well are computed one by one."""
    q, k, v = heads(net, net.linear("x")), heads(net, net.linear("x"), (0, 2, 3, 1)), heads(net, net.linear("x"))
    weights = net.op("Softmax", net.op("MatMul", q, k), axis=-1)
    seen = net.op("ReduceMean", weights, axes=[1, 3], keepdims=0)
    return net.op("Add", joined(net, net.op("MatMul", weights, v)), net.shaped(seen, 1, _TOKENS, 1))


def norm(net: Net, x: str) -> str:
    return net.op("LayerNormalization", x, net.normal(_WIDTH, scale=0.1, shift=1.0), net.normal(_WIDTH), axis=-1, epsilon=1e-5)


def norm_in_parts(net: Net, x: str, square: str, inverse: bool) -> str:
    """As it was written before there was an operator for it."""
    distance = net.op("Sub", x, net.op("ReduceMean", x, axes=[-1], keepdims=1))
    squares = net.op("Pow", distance, net.constant(2.0)) if square == "Pow" else net.op("Mul", distance, distance)
    variance = net.op("ReduceMean", squares, axes=[-1], keepdims=1)
    root = net.op("Sqrt", net.op("Add", variance, net.constant(1e-5)))
    normal = net.op("Mul", distance, net.op("Reciprocal", root)) if inverse else net.op("Div", distance, root)
    return net.op("Add", net.op("Mul", normal, net.normal(_WIDTH, scale=0.1, shift=1.0)), net.normal(_WIDTH))


def gelu_of_parts(net: Net, x: str, order: str) -> str:
    erf = net.op("Erf", net.op("Div", x, net.constant(2**0.5)) if order != "times" else net.op("Mul", x, net.constant(0.5**0.5)))
    share = net.op("Add", erf, net.constant(1.0))
    if order == "half first":
        return net.op("Mul", net.op("Mul", x, net.constant(0.5)), share)
    if order == "share first":
        return net.op("Mul", x, net.op("Mul", share, net.constant(0.5)))
    return net.op("Mul", net.op("Mul", x, share), net.constant(0.5))


def gelu_of_a_tanh(net: Net, x: str, power: bool) -> str:
    """The approximation as it is written where there is no operator for it."""
    cube = net.op("Pow", x, net.constant(3.0)) if power else net.op("Mul", x, net.op("Mul", x, x))
    inner = net.op("Mul", net.constant((2 / np.pi) ** 0.5), net.op("Add", x, net.op("Mul", net.constant(0.044715), cube)))
    share = net.op("Add", net.constant(1.0), net.op("Tanh", inner))
    if power:
        return net.op("Mul", net.op("Mul", net.constant(0.5), x), share)
    return net.op("Mul", net.constant(0.5), net.op("Mul", x, share))


def main() -> None:
    made = {}

    def case(name: str, build, **options) -> None:
        kernels = options.pop("kernels")
        net = Net(len(made) + 1, **options)
        made.update({f"{name}.{part}": value for part, value in net.case(build(net), **kernels).items()})

    one = {"attention": 1}
    case("attention_scaled_behind", attention_scaled_behind, kernels=one)
    case("attention_divided", attention_divided, kernels=one, shape=(2, _TOKENS, _WIDTH))
    case("attention_of_flat_heads", attention_of_flat_heads, kernels=one)
    case("attention_masked", attention_masked, kernels=one)
    case("attention_of_one_product", attention_of_one_product, kernels=one)
    case("attention_that_is_seen", attention_that_is_seen, kernels={"softmaxes": 1})
    case("norm", lambda net: norm(net, "x"), kernels={"norms": 1})
    case("norm_of_a_power", lambda net: norm_in_parts(net, "x", "Pow", False), kernels={"norms": 1}, opset=13)
    case("norm_of_a_product", lambda net: norm_in_parts(net, "x", "Mul", False), kernels={"norms": 1}, opset=13)
    case("norm_by_an_inverse", lambda net: norm_in_parts(net, "x", "Pow", True), kernels={"norms": 1}, opset=13)
    case("softmax_of_the_first_axis", lambda net: net.op("Softmax", "x", axis=1), kernels={})
    case("softmax", lambda net: net.op("Softmax", "x", axis=-1), kernels={"softmaxes": 1})
    for order in ("half first", "share first", "half last", "times"):
        case(f"gelu_{order.replace(' ', '_')}", lambda net, order=order: gelu_of_parts(net, net.linear("x"), order), kernels={"gelus": 1})
    case("gelu", lambda net: net.op("Gelu", net.linear("x")), kernels={"gelus": 1}, opset=20)
    case("gelu_tanh", lambda net: net.op("Gelu", net.linear("x"), approximate="tanh"), kernels={"gelus": 1}, opset=20)
    case("quick_gelu", lambda net: net.op("Mul", (x := net.linear("x")), net.op("Sigmoid", net.op("Mul", x, net.constant([1.702])))), kernels={"gelus": 1})
    case("quick_gelu_operator", lambda net: net.op("QuickGelu", net.linear("x"), domain="com.microsoft", alpha=1.5), kernels={"gelus": 1})
    case("silu", lambda net: net.op("Mul", net.op("Sigmoid", (x := net.linear("x"))), x), kernels={"gelus": 1})
    case("gelu_of_a_tanh", lambda net: gelu_of_a_tanh(net, net.linear("x"), False), kernels={"gelus": 1})
    case("gelu_of_a_tanh_and_a_power", lambda net: gelu_of_a_tanh(net, net.linear("x"), True), kernels={"gelus": 1})
    path = Path(__file__).with_suffix(".safetensors")
    save_file(made, path, {"onnxruntime": onnxruntime.__version__})
    path.chmod(0o644)


if __name__ == "__main__":
    main()

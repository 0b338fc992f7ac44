"""What onnxruntime makes of small graphs in the QOperator form: `python qoperator.py` writes `qoperator.safetensors` beside itself.

Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0 and safetensors 0.8.0. Weights have seven bits, so that no build of
onnxruntime saturates a pair of products, and every CPU gives the same answers.

For each case the file holds `CASE.model` (u8, the ONNX file: `x_in` f32 in, `y` f32 out, one QuantizeLinear, operators on
integers, one DequantizeLinear), `CASE.qdq` (u8, the same network in the QDQ form), `CASE.x` (u8; the input is `(x - 127) /
128` in f32), `CASE.y` (the quantized output, u8 or i8) and `CASE.scale` (f32 [2]: the output's scale and zero point).
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
_MICROSOFT = "com.microsoft"
_SCALE_IN, _ZERO_IN = 2 / 255, 127


class Net:
    """A network in both forms. Values are named; `x` is the quantized input."""

    def __init__(self, seed: int, shape: tuple[int, ...], kind=np.uint8):
        self.random = np.random.default_rng(seed)
        self.shape, self.kind = shape, kind
        self.constants, self.integer, self.real = [], [], []
        self.meaning, self.channels = {}, {"x": shape[1]}
        self.means("x", _SCALE_IN, _ZERO_IN if kind is np.uint8 else _ZERO_IN - 128)
        self.integer.append(helper.make_node("QuantizeLinear", ["x_in", *self.meaning["x"][:2]], ["x"]))
        self.conversions("x_in", "x")

    def constant(self, name: str, value) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def means(self, name: str, scale: float, zero_point: int) -> None:
        names = [self.constant(f"{name}_scale", np.float32(scale)), self.constant(f"{name}_zero", self.kind(zero_point))]
        self.meaning[name] = (*names, scale, zero_point)

    def conversions(self, real: str, name: str) -> None:
        meaning = self.meaning[name][:2]
        self.real.append(helper.make_node("QuantizeLinear", [real, *meaning], [f"{name}_q"]))
        self.real.append(helper.make_node("DequantizeLinear", [f"{name}_q", *meaning], [f"{name}_r"]))

    def operator(self, name, op, sources, out, *, real_op, domain=_MICROSOFT, listed=False, weights=None, bias=None, **attributes):
        """One operator on the values `sources`, whose output means `out`, or what its source does."""
        self.means(name, *(out or self.meaning[sources[0]][2:]))
        inputs = [part for source in sources for part in (source, *self.meaning[source][:2])]
        reals = [f"{source}_r" for source in sources]
        if weights is not None:
            inputs += weights[0]
            reals.append(weights[1])
        tail = [] if bias is None else [bias[0]]
        if bias is not None:
            reals.append(bias[1])
        meaning = list(self.meaning[name][:2])
        order = [*meaning, *inputs] if listed else [*inputs, *tail, *meaning] if op == "QGemm" else [*inputs, *meaning, *tail]
        self.integer.append(helper.make_node(op, order, [name], name=f"/{name}", domain=domain, **attributes))
        self.real.append(helper.make_node(real_op, reals, [f"{name}_sum"], name=f"/{name}", **attributes))
        self.conversions(f"{name}_sum", name)
        self.channels[name] = self.channels[sources[0]]
        return name

    def weights(self, name, shape, source, *, axis=0, zero_point=0, kind=np.int8, per_channel=True, bias=True):
        """Weights whose channels are on `axis`, as three inputs and as a real value, and a bias of 32 bits as both."""
        real = self.random.standard_normal(shape) / np.sqrt(np.prod(shape) / shape[axis])
        others = tuple(i for i in range(len(shape)) if i != axis)
        scale = (np.abs(real).max(others if per_channel else None) / 63).astype(np.float32)
        along = scale.reshape([-1 if i == axis else 1 for i in range(len(shape))]) if per_channel else scale
        stored = (np.round(real / along).clip(-63, 63) + zero_point).astype(kind)
        parts = [self.constant(f"{name}_w", stored), self.constant(f"{name}_w_scale", scale)]
        parts.append(self.constant(f"{name}_w_zero", np.full(scale.shape, zero_point, kind)))
        self.real.append(helper.make_node("DequantizeLinear", parts, [f"{name}_w_r"], **({"axis": axis} if per_channel else {})))
        if not bias:
            return dict(weights=(parts, f"{name}_w_r"))
        unit = np.broadcast_to(np.float32(self.meaning[source][2]) * scale, shape[axis : axis + 1])
        counts = self.constant(f"{name}_b", np.round(self.random.standard_normal(shape[axis]) * 0.3 / unit).astype(np.int32))
        self.real.append(helper.make_node("DequantizeLinear", [counts, self.constant(f"{name}_b_scale", unit)], [f"{name}_b_r"], axis=0))
        return dict(weights=(parts, f"{name}_w_r"), bias=(counts, f"{name}_b_r"))

    def conv(self, name, source, filters, kernel, out, *, stride=1, depthwise=False, **weights):
        channels = self.channels[source]
        filters = channels if depthwise else filters
        given = self.weights(name, (filters, 1 if depthwise else channels, kernel, kernel), source, **weights)
        attributes = dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, group=channels if depthwise else 1, auto_pad="SAME_UPPER")
        self.operator(name, "QLinearConv", [source], out, real_op="Conv", domain="", **given, **attributes)
        self.channels[name] = filters
        return name

    def unary(self, name, op, source, out, **attributes):
        return self.operator(name, f"QLinear{op}", [source], out, real_op=op, **attributes)

    def binary(self, name, op, a, b, out):
        return self.operator(name, f"QLinear{op}", [a, b], out, real_op=op)

    def hard_sigmoid(self, name, source, out):
        """Of the QDQ form in both: there is no such operator on integers."""
        before = self.meaning[source][:2]
        self.means(name, *out)
        after = self.meaning[name][:2]
        self.integer.append(helper.make_node("DequantizeLinear", [source, *before], [f"{name}_fed"]))
        for nodes, fed in ((self.integer, f"{name}_fed"), (self.real, f"{source}_r")):
            nodes.append(helper.make_node("HardSigmoid", [fed], [f"{name}_sum"], name=f"/{name}_sum", alpha=1 / 6, beta=0.5))
        self.integer.append(helper.make_node("QuantizeLinear", [f"{name}_sum", *after], [name]))
        self.conversions(f"{name}_sum", name)
        self.channels[name] = self.channels[source]
        return name

    def concat(self, name, sources, out, *, axis=1):
        self.operator(name, "QLinearConcat", sources, out, real_op="Concat", listed=True, axis=axis)
        self.channels[name] = sum(self.channels[source] for source in sources) if axis == 1 else self.channels[sources[0]]
        return name

    def flatten(self, name, source):
        self.means(name, *self.meaning[source][2:])
        self.integer.append(helper.make_node("Flatten", [source], [name], name=f"/{name}"))
        self.real.append(helper.make_node("Flatten", [f"{source}_r"], [f"{name}_sum"], name=f"/{name}"))
        self.conversions(f"{name}_sum", name)
        self.channels[name] = self.channels[source]
        return name

    def max_pool(self, name, source):
        attributes = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        self.means(name, *self.meaning[source][2:])
        self.integer.append(helper.make_node("MaxPool", [source], [name], name=f"/{name}", **attributes))
        self.real.append(helper.make_node("MaxPool", [f"{source}_r"], [f"{name}_sum"], name=f"/{name}", **attributes))
        self.conversions(f"{name}_sum", name)
        self.channels[name] = self.channels[source]
        return name

    def gemm(self, name, source, filters, out, *, transposed=True, **weights):
        axis = 0 if transposed else 1
        shape = (filters, self.channels[source]) if transposed else (self.channels[source], filters)
        given = self.weights(name, shape, source, axis=axis, **weights)
        self.operator(name, "QGemm", [source], out, real_op="Gemm", **given, transB=int(transposed))
        self.channels[name] = filters
        return name

    def matmul(self, name, source, filters, out, **weights):
        given = self.weights(name, (self.channels[source], filters), source, axis=1, bias=False, **weights)
        self.operator(name, "QLinearMatMul", [source], out, real_op="MatMul", domain="", **given)
        self.channels[name] = filters
        return name

    def model(self, output: str) -> tuple[ModelProto, ModelProto]:
        """The network in the QOperator form and in the QDQ form, from `x_in` to `y`; `y_q` are the integers."""
        meaning = self.meaning[output][:2]
        kind = TensorProto.UINT8 if self.kind is np.uint8 else TensorProto.INT8
        last = helper.make_node("DequantizeLinear", [output, *meaning], ["y_out"])
        domains = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]

        def made(nodes, real, integer):
            info = [helper.make_tensor_value_info("x_in", TensorProto.FLOAT, list(self.shape))]
            out = [helper.make_tensor_value_info(real, TensorProto.FLOAT, None), helper.make_tensor_value_info(integer, kind, None)]
            graph = helper.make_graph(nodes, "case", info, out, self.constants)
            return helper.make_model(graph, opset_imports=domains, ir_version=_IR)

        return made([*self.integer, last], "y_out", output), made(self.real, f"{output}_r", f"{output}_q")


def cases():
    """Name, network, and the value that is compared."""
    relu6 = (6 / 255, 0)
    net = Net(1, (2, 3, 33, 21))
    net.conv("stem", "x", 16, 3, relu6, stride=2)
    net.conv("wide", "stem", 48, 1, relu6)
    net.conv("deep", "wide", 0, 3, (4 / 255, 0), depthwise=True)
    net.conv("narrow", "deep", 16, 1, (5 / 255, 120))
    net.binary("sum", "Add", "narrow", "stem", (0.03, 96))
    net.max_pool("small", "sum")
    net.unary("mean", "GlobalAveragePool", "small", (0.008, 110), channels_last=0)
    yield "chain", net, net.gemm("y", net.flatten("flat", "mean"), 21, (4 / 255, 128))
    net = Net(2, (1, 12, 11, 9), np.int8)
    net.conv("a", "x", 12, 3, (6 / 255, -128))
    yield "chain_s8", net, net.binary("y", "Add", "a", net.conv("b", "x", 12, 1, (5 / 255, 3)), (0.04, -20))
    net = Net(3, (1, 6, 9, 8))
    yield "sigmoid", net, net.unary("y", "Sigmoid", "x", (1 / 256, 0))
    net = Net(4, (1, 6, 9, 8))
    yield "leaky_relu", net, net.unary("y", "LeakyRelu", "x", (0.005, 40), alpha=0.1)
    net = Net(5, (6, 40))
    yield "gemm_columns", net, net.gemm("y", "x", 30, (4 / 255, 128), transposed=False)
    net = Net(6, (6, 40))
    yield "matmul", net, net.matmul("y", "x", 30, (9 / 255, 128))
    net = Net(7, (1, 8, 10, 10))
    yield "chain_mul", net, net.binary("y", "Mul", "x", net.conv("a", "x", 8, 1, (6 / 255, 100)), (0.021, 128))
    net = Net(11, (2, 20, 9, 7))
    yield "mul", net, net.binary("y", "Mul", "x", "x", (0.0041, 0))
    net = Net(12, (2, 20, 9, 7), np.int8)
    yield "mul_s8", net, net.binary("y", "Mul", "x", net.unary("g", "Sigmoid", "x", (1 / 256, -128)), (0.0067, -44))
    net = Net(13, (2, 20, 9, 7))
    yield "hard_swish", net, net.binary("y", "Mul", "x", net.hard_sigmoid("g", "x", (1 / 255, 0)), (0.0041, 30))
    net = Net(14, (2, 20, 9, 7))
    pooled = net.unary("mean", "GlobalAveragePool", "x", (0.002, 128), channels_last=0)
    less = net.conv("less", pooled, 8, 1, (1 / 255, 0))
    gate = net.hard_sigmoid("gate", net.conv("more", less, 20, 1, (4 / 255, 120)), (1 / 255, 0))
    yield "chain_gate", net, net.binary("y", "Mul", gate, "x", (0.0061, 128))
    net = Net(8, (1, 8, 10, 10))
    yield "chain_concat", net, net.concat("y", ["x", net.conv("a", "x", 5, 1, (6 / 255, 100))], (0.02, 110))
    net = Net(15, (2, 20, 9, 7))
    yield "concat", net, net.concat("y", ["x", net.unary("a", "Sigmoid", "x", (1 / 256, 0)), "x"], (0.0061, 110))
    net = Net(16, (1, 8, 10, 10))
    yield "real_mul", net, net.binary("y", "Mul", "x", net.conv("a", "x", 1, 1, (6 / 255, 100)), (0.021, 128))
    net = Net(17, (1, 8, 10, 10))
    yield "real_concat", net, net.concat("y", ["x", net.conv("a", "x", 8, 1, (6 / 255, 100))], (0.02, 110), axis=2)
    net = Net(9, (1, 8, 10, 10))
    pool = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=0)
    yield "real_average_pool", net, net.unary("y", "AveragePool", "x", (0.005, 120), **pool)
    net = Net(10, (1, 8, 10, 10))
    yield "real_zero_point", net, net.conv("y", "x", 12, 3, (6 / 255, 128), kind=np.uint8, zero_point=75, per_channel=False)


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = {}
    for name, net, output in cases():
        blobs = [model.SerializeToString(deterministic=True) for model in net.model(output)]
        x = np.random.default_rng(1000).integers(0, 256, net.shape, np.uint8)
        session = onnxruntime.InferenceSession(blobs[0], options, providers=["CPUExecutionProvider"])
        (y,) = session.run([output], {"x_in": (x.astype(np.float32) - 127) / 128})
        low, high = (np.iinfo(y.dtype).min, np.iinfo(y.dtype).max)
        inside = float(((y > low) & (y < high)).mean())
        print(f"{name}: {y.shape}, {len(np.unique(y))} values, {inside:.2f} between the bounds")
        made |= {f"{name}.model": np.frombuffer(blobs[0], np.uint8), f"{name}.qdq": np.frombuffer(blobs[1], np.uint8)}
        made |= {f"{name}.x": x, f"{name}.y": y, f"{name}.scale": np.array(net.meaning[output][2:], np.float32)}
    save_file(made, Path(__file__).with_suffix(".safetensors"), {"onnxruntime": onnxruntime.__version__})


if __name__ == "__main__":
    main()

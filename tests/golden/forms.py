"""Forms of the quantized operators and of those of transformers, from operator set 11 to 23: `python forms.py` writes `forms.safetensors` beside itself.

Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0 and safetensors 0.8.0. Weights have seven bits or fewer, so that no build of
onnxruntime saturates a pair of products, and every CPU gives the same answers.

For each case the file holds `CASE.model` (u8, the ONNX file: `x` f32 in, `y` f32 out, the node that matters is called
`/node`) and `CASE.x` (f32). One that is to be computed has `CASE.y`, what onnxruntime makes of it, and `CASE.step` (f32 [1]:
one step of its integers, 0 where nothing is quantized); one that is to be refused has neither.
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

_IR = 10
_MICROSOFT = "com.microsoft"
_SETS = range(13, 22)


class Form:
    """One node, what is before it and what is behind it."""

    def __init__(self, opset: int, shape: tuple[int, ...], step: float = 0.0):
        self.random = np.random.default_rng(opset * 1000 + sum(shape))
        self.opset, self.shape, self.step = opset, shape, step
        self.nodes, self.constants, self.outputs = [], [], 0

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(value if hasattr(value, "data_type") else numpy_helper.from_array(np.asarray(value), name))
        self.constants[-1].name = name
        return name

    def reals(self, *shape: int) -> str:
        return self.constant(self.random.standard_normal(shape).astype(np.float32))

    def integers(self, *shape: int, kind=np.int8) -> str:
        low = -31 if np.iinfo(kind).min < 0 else 0
        return self.constant(self.random.integers(low, low + 63, shape).astype(kind))

    def node(self, op: str, inputs: list[str], *, name="", outputs=1, domain="", **attributes) -> str:
        made = [f"t{self.outputs + i}" for i in range(outputs)]
        self.outputs += outputs
        self.nodes.append(helper.make_node(op, inputs, made, name=name or f"/{made[0]}", domain=domain, **attributes))
        return made[0]

    def tested(self, op: str, inputs: list[str], **attributes) -> str:
        return self.node(op, inputs, name="/node", **attributes)

    def quantized(self, x: str = "x", scale: float = 0.02, zero_point=np.uint8(121)) -> list[str]:
        """The bytes of `x`, their scale and zero point."""
        meaning = [self.constant(np.float32(scale)), self.constant(zero_point)]
        return [self.node("QuantizeLinear", [x, *meaning]), *meaning]

    def meaning(self, scale: float, zero_point=np.uint8(121)) -> list[str]:
        self.step = scale
        return [self.constant(np.float32(scale)), self.constant(zero_point)]

    def real(self, integers: str, meaning: list[str], **attributes) -> str:
        return self.node("DequantizeLinear", [integers, *meaning], **attributes)

    def bytes(self, y: str):
        last = [node for node in self.nodes if y in node.output][0]
        last.output[list(last.output).index(y)] = "y"
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(self.shape))]
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "case", info, out, self.constants)
        domains = [helper.make_opsetid("", self.opset), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=_IR).SerializeToString(deterministic=True)


def conversions(opset):
    form = Form(opset, (2, 3, 5), 0.02)
    q = form.tested("QuantizeLinear", ["x", *form.meaning(0.02)])
    yield "per_tensor", form, form.real(q, form.meaning(0.02))
    for axis in (1, -2, -1):
        form = Form(opset, (2, 3, 5), 0.03)
        size = (2, 3, 5)[axis]
        meaning = [form.constant(np.linspace(0.01, 0.03, size, dtype=np.float32)), form.constant(np.arange(size, dtype=np.int8) - 2)]
        q = form.tested("QuantizeLinear", ["x", *meaning], axis=axis)
        yield f"axis_{axis}", form, form.real(q, meaning, axis=axis)


def convolutions(opset):
    for kind, axis in ((np.int8, 0), (np.int8, -4), (np.uint8, 0)):
        form = Form(opset, (1, 4, 7, 6))
        x = form.real(*split(form.quantized()))
        zero = 128 if kind is np.uint8 else 0
        w = form.integers(6, 4, 3, 3, kind=np.int8)
        if kind is np.uint8:
            w = form.constant((form.random.integers(-31, 32, (6, 4, 3, 3)) + 128).astype(np.uint8))
        meaning = [form.constant(np.linspace(0.01, 0.02, 6, dtype=np.float32)), form.constant(np.full(6, zero, kind))]
        sums = form.tested("Conv", [x, form.real(w, meaning, axis=axis)], pads=[1] * 4)
        yield f"qdq_conv_{np.dtype(kind).name}_{axis}", form, form.real(*split(form.quantized(sums, form_step(form, 0.13))))


def split(parts):
    return parts[0], parts[1:]


def form_step(form, step):
    form.step = step
    return step


def integer_operators(opset):
    for name, attributes in (("dilated", dict(dilations=[2, 1], pads=[1, 0, 2, 1])), ("same_lower", dict(strides=[2, 1], auto_pad="SAME_LOWER"))):
        form = Form(opset, (1, 4, 9, 8))
        w = [form.integers(6, 2, 3, 3), form.constant(np.linspace(0.01, 0.02, 6, dtype=np.float32)), form.constant(np.zeros(6, np.int8))]
        out = form.meaning(0.17)
        y = form.tested("QLinearConv", [*form.quantized(), *w, *out], group=2, **attributes)
        yield f"qlinear_conv_{name}", form, form.real(y, out)
    form = Form(opset, (2, 5, 12))
    w = [form.integers(12, 7, kind=np.uint8), form.constant(np.float32(0.01)), form.constant(np.uint8(30))]
    out = form.meaning(0.08)
    yield "qlinear_matmul", form, form.real(form.tested("QLinearMatMul", [*form.quantized(), *w, *out]), out)
    form = Form(opset, (2, 5, 12))
    x = form.node("DynamicQuantizeLinear", ["x"], outputs=3)
    at = int(x[1:])
    sums = form.tested("MatMulInteger", [x, form.integers(12, 7), f"t{at + 2}", form.constant(np.arange(7, dtype=np.int8) - 3)])
    real = form.node("Cast", [sums], to=TensorProto.FLOAT)
    yield "matmul_integer_columns", form, form.node("Mul", [real, f"t{at + 1}"])
    form = Form(opset, (1, 4, 9, 8))
    x = form.node("DynamicQuantizeLinear", ["x"], outputs=3)
    at = int(x[1:])
    sums = form.tested("ConvInteger", [x, form.integers(6, 4, 3, 3, kind=np.uint8), f"t{at + 2}", form.constant(np.uint8(9))], pads=[1] * 4)
    real = form.node("Cast", [sums], to=TensorProto.FLOAT)
    yield "conv_integer_zero_point", form, form.node("Mul", [real, f"t{at + 1}"])


def contributed():
    """Operators of the other domain; their set is 1 whatever the opset is."""

    def unary(op, x, scale=0.01, **attributes):
        form = Form(17, x)
        out = form.meaning(scale)
        return form, form.real(form.tested(op, [*form.quantized(), *out], domain=_MICROSOFT, **attributes), out)

    yield "qlinear_sigmoid", *unary("QLinearSigmoid", (2, 3, 4, 5), 1 / 256)
    yield "qlinear_leaky_relu", *unary("QLinearLeakyRelu", (2, 3, 4, 5), alpha=0.3)
    yield "qlinear_global_average_pool", *unary("QLinearGlobalAveragePool", (2, 3, 4, 5), channels_last=0)
    window = dict(kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
    yield "qlinear_average_pool", *unary("QLinearAveragePool", (2, 3, 7, 5), **window, count_include_pad=1)
    for op in ("Add", "Mul"):
        for name, shape in (("channels", (3, 1, 1)), ("one", ()), ("pixels", (4, 5))):
            form = Form(17, (2, 3, 4, 5))
            other = [form.integers(*shape, kind=np.uint8), form.constant(np.float32(0.02)), form.constant(np.uint8(30))]
            out = form.meaning(0.03)
            y = form.tested(f"QLinear{op}", [*form.quantized(), *other, *out], domain=_MICROSOFT)
            yield f"qlinear_{op.lower()}_{name}", form, form.real(y, out)
    form = Form(17, (2, 3, 4, 5))
    out = form.meaning(0.03)
    parts = [*form.quantized(), *form.quantized("x", 0.015, np.uint8(100))]
    yield "qlinear_concat_negative", form, form.real(form.tested("QLinearConcat", [*out, *parts], domain=_MICROSOFT, axis=-3), out)
    for name, attributes, a, b in (("plain", {}, (6, 12), (12, 7)), ("turned", dict(transA=1, transB=1, alpha=0.5), (12, 6), (7, 12))):
        form = Form(17, a)
        w = [form.integers(*b), form.constant(np.linspace(0.01, 0.02, 7, dtype=np.float32)), form.constant(np.zeros(7, np.int8))]
        bias = form.constant(form.random.integers(-900, 900, 7).astype(np.int32))
        out = form.meaning(0.08)
        y = form.tested("QGemm", [*form.quantized(), *w, bias, *out], domain=_MICROSOFT, **attributes)
        yield f"qgemm_{name}", form, form.real(y, out)
    form = Form(17, (6, 12))
    w = [form.integers(12, 7), form.constant(np.float32(0.01)), form.constant(np.int8(0))]
    yield "qgemm_real", form, form.tested("QGemm", [*form.quantized(), *w], domain=_MICROSOFT)
    for op, inputs, attributes in (
        ("Gelu", [], {}),
        ("FastGelu", [], {}),
        ("FastGelu", [24], {}),
        ("BiasGelu", [24], {}),
        ("QuickGelu", [], dict(alpha=1.5)),
        ("QuickGelu", [], {}),
    ):
        form = Form(17, (2, 3, 24))
        name = "_".join([op.lower(), *("bias" for _ in inputs), *attributes])
        yield name, form, form.tested(op, ["x", *(form.reals(n) for n in inputs)], domain=_MICROSOFT, **attributes)
    for name, others in (("plain", 2), ("bias", 3)):
        form = Form(17, (2, 3, 24))
        inputs = ["x", form.reals(2, 3, 24), *(form.reals(24) for _ in range(others))]
        yield f"skip_layer_norm_{name}", form, form.tested("SkipLayerNormalization", inputs, domain=_MICROSOFT, epsilon=1e-3)


def transformers(opset):
    for axis in (1, 2, -1, None):
        form = Form(opset, (2, 3, 4, 5))
        attributes = {} if axis is None else dict(axis=axis)
        yield f"softmax_{axis}", form, form.tested("Softmax", ["x"], **attributes)
    if opset >= 17:
        for axis in (-1, -2, 1, 0):
            form = Form(opset, (2, 3, 4))
            shape = (2, 3, 4)[axis:]
            yield f"layer_norm_{axis}", form, form.tested("LayerNormalization", ["x", form.reals(*shape), form.reals(*shape)], axis=axis)
        form = Form(opset, (2, 3, 4))
        yield "layer_norm_no_bias", form, form.tested("LayerNormalization", ["x", form.reals(4)], epsilon=0.1)
    if opset >= 20:
        for approximate in ("none", "tanh"):
            form = Form(opset, (2, 3, 24))
            yield f"gelu_{approximate}", form, form.tested("Gelu", ["x"], approximate=approximate)


def others():
    """Forms whose reading changed, or that a set brought."""
    for axis in (1, 2, 3, None):
        form = Form(11, (2, 3, 4, 5))
        attributes = {} if axis is None else dict(axis=axis)
        yield f"softmax_{axis}", form, form.tested("Softmax", ["x"], **attributes)
    for opset, size in ((18, 2), (21, 6)):
        form = Form(opset, (2, 6, 4, 3))
        yield "group_norm", form, form.tested("GroupNormalization", ["x", form.reals(size), form.reals(size)], num_groups=2)


def refused():
    """Forms that must not be computed some other way."""
    for kind in ("INT4", "UINT4", "INT16", "UINT16", "FLOAT8E4M3FN", "FLOAT8E5M2"):
        element = getattr(TensorProto, kind)
        form = Form(21, (2, 6))
        meaning = [form.constant(np.float32(0.1)), form.constant(helper.make_tensor("", element, [], [0]))]
        yield f"quantize_{kind.lower()}", form, form.real(form.tested("QuantizeLinear", ["x", *meaning]), meaning)
        form = Form(21, (2, 6))
        q = form.tested("QuantizeLinear", ["x", form.constant(np.float32(0.1))], output_dtype=element)
        yield f"quantize_to_{kind.lower()}", form, form.real(q, [form.constant(np.float32(0.1))])
        form = Form(21, (2, 6))
        w = form.constant(helper.make_tensor("", element, [6, 4], [i % 7 for i in range(24)]))
        w = form.tested("DequantizeLinear", [w, form.constant(np.float32(0.1))])
        yield f"dequantize_{kind.lower()}", form, form.node("MatMul", ["x", w])
    form = Form(21, (2, 6))
    scales = form.constant(np.full((3, 4), 0.1, np.float32))
    w = form.tested("DequantizeLinear", [form.integers(6, 4), scales], axis=0, block_size=2)
    yield "dequantize_blocks", form, form.node("MatMul", ["x", w])
    form = Form(21, (2, 6))
    scales = form.constant(np.full((2, 3), 0.1, np.float32))
    q = form.tested("QuantizeLinear", ["x", scales, form.constant(np.zeros((2, 3), np.int8))], axis=1, block_size=2)
    yield "quantize_blocks", form, form.node("Cast", [q], to=TensorProto.FLOAT)
    form = Form(21, (2, 6))
    x = form.node("Cast", ["x"], to=TensorProto.FLOAT16)
    q = form.tested("QuantizeLinear", [x, form.constant(np.float16(0.1)), form.constant(np.int8(0))])
    yield "quantize_f16", form, form.node("Cast", [q], to=TensorProto.FLOAT)
    form = Form(13, (2, 6))
    x = form.node("Cast", ["x"], to=TensorProto.INT32)
    q = form.tested("QuantizeLinear", [x, *form.meaning(0.5)])
    yield "quantize_i32", form, form.real(q, form.meaning(0.5))
    for opset in (21, 23):
        form = Form(opset, (1, 2, 3, 4))
        yield "attention", form, form.tested("Attention", ["x", "x", "x"])
        form = Form(opset, (2, 6))
        yield "rms_norm", form, form.tested("RMSNormalization", ["x", form.reals(6)])
    for opset in (21, 24):
        form = Form(opset, (2, 6))
        yield "swish", form, form.tested("Swish", ["x"], alpha=2.0)
    form = Form(17, (2, 3, 8))
    w, b = form.reals(8, 24), form.reals(24)
    yield "microsoft_attention", form, form.tested("Attention", ["x", w, b], domain=_MICROSOFT, num_heads=2)


def computed():
    for opset in _SETS:
        for family in (conversions, convolutions, integer_operators, transformers):
            for name, form, y in family(opset):
                yield f"{name}_{opset}", form, y
    yield from contributed()
    for name, form, y in others():
        yield f"{name}_{form.opset}", form, y


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # As the file says it, without operators that onnxruntime makes of several.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    made, seen = {}, set()
    for name, form, y in computed():
        assert name not in seen, name
        seen.add(name)
        blob = form.bytes(y)
        x = (np.random.default_rng(1000).integers(-255, 256, form.shape) / 128).astype(np.float32)
        session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
        (out,) = session.run(["y"], {"x": x})
        made |= {f"{name}.model": np.frombuffer(blob, np.uint8), f"{name}.x": x, f"{name}.y": out, f"{name}.step": np.array([form.step], np.float32)}
    for name, form, y in refused():
        name = f"{name}_{form.opset}"
        assert name not in seen, name
        seen.add(name)
        made |= {f"{name}.model": np.frombuffer(form.bytes(y), np.uint8), f"{name}.x": np.zeros(form.shape, np.float32)}
    print(f"{len(seen)} forms, {sum(name.endswith('.y') for name in made)} of them computed")
    save_file(made, Path(__file__).with_suffix(".safetensors"), {"onnxruntime": onnxruntime.__version__})


if __name__ == "__main__":
    main()

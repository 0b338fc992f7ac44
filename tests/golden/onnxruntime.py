"""What onnxruntime's ARM build makes of small quantized graphs: `python onnxruntime.py` writes `onnxruntime.safetensors` beside itself.

Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0, pillow 13.0.0 and safetensors 0.8.0 on 64-bit ARM: on a board, or with Debian's arm64
Python under qemu-aarch64. Elsewhere it refuses: on x86 without VNNI onnxruntime saturates pairs of products.

For each case the file holds `CASE.model` (u8, the ONNX file: `x_in` f32 in, `y` f32 out, every operator between Quantize and
Dequantize), `CASE.x` (u8; the input is `(x - 127) / 128` in f32), `CASE.y` (the quantized output, u8 or i8) and
`CASE.scale` (f32 [2]: the output's scale and zero point). All cases are chains of at most one operator that rounds, so that
a difference is that operator's own, but those whose names begin with `chain`.

`whole_SIDE.x` (u8 `[SIDE, SIDE, 3]`, a part of the bundle's golden picture) and `whole_SIDE.features` (f32) are the same for
the default bundle's whole image encoder, whose mean is 127 and whose standard deviation is 128.
"""

import os
import platform
import sys
from pathlib import Path

# This file must not be found as the package of its name.
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

_OPSET, _IR = 17, 8
_SCALE_IN, _ZERO_IN = np.float32(2 / 255), 127


class Net:
    """A quantized network in the making. Values are named; `x` is the quantized and dequantized input."""

    def __init__(self, seed: int, shape: tuple[int, ...], kind=np.uint8):
        self.random = np.random.default_rng(seed)
        self.shape, self.kind = shape, kind
        self.nodes, self.constants = [], []
        self.channels = {"x": shape[1]}
        self.quantize("x", "x_in", float(_SCALE_IN), _ZERO_IN if kind is np.uint8 else _ZERO_IN - 128)

    def constant(self, name: str, value) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"/{output}", **attributes))
        return output

    def quantize(self, name: str, real: str, scale: float, zero_point: int) -> None:
        """Quantizes `real` and makes `name` of it, dequantized."""
        meaning = [self.constant(f"{name}_scale", np.float32(scale)), self.constant(f"{name}_zero", self.kind(zero_point))]
        self.node("QuantizeLinear", [real, *meaning], f"{name}_q")
        self.node("DequantizeLinear", [f"{name}_q", *meaning], name)
        self.scale = (scale, zero_point)

    def weights(self, name: str, shape: tuple[int, ...], source: str, *, per_channel=True, unsigned=False, columns=False, bias="i32") -> list[str]:
        """The dequantized weights of `name`, one filter after the other, or one beside the other in `columns`, and its bias, if any."""
        real = self.random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        axes = tuple(range(1, len(shape))) if per_channel else None
        scale = (np.abs(real).max(axes) / 127).astype(np.float32)
        integers = np.round(real / scale.reshape(-1, *[1] * (len(shape) - 1))).clip(-127, 127)
        kind = np.uint8 if unsigned else np.int8
        stored = (integers + 128 if unsigned else integers).astype(kind)
        stored = np.ascontiguousarray(stored.T) if columns else stored
        zero_points = np.full(scale.shape, 128 if unsigned else 0, kind)
        meaning = [self.constant(f"{name}_w_scale", scale), self.constant(f"{name}_w_zero", zero_points)]
        axis = {"axis": int(columns)} if per_channel else {}
        made = [self.node("DequantizeLinear", [self.constant(f"{name}_w_q", stored), *meaning], f"{name}_w", **axis)]
        if bias == "none":
            return made
        bias_real = self.random.standard_normal(shape[0]) * 0.3
        if bias == "f32":
            return [*made, self.constant(f"{name}_b", bias_real.astype(np.float32))]
        unit = np.float32(self.scales[source]) * scale
        bias_q = self.constant(f"{name}_b_q", np.broadcast_to(np.round(bias_real / unit), shape[:1]).astype(np.int32))
        meaning = [self.constant(f"{name}_b_scale", np.broadcast_to(unit, shape[:1]) if per_channel else unit)]
        return [*made, self.node("DequantizeLinear", [bias_q, *meaning], f"{name}_b", **({"axis": 0} if per_channel else {}))]

    @property
    def scales(self) -> dict[str, float]:
        return {c.name[: -len("_scale")]: numpy_helper.to_array(c).item() for c in self.constants if c.name.endswith("_scale") and not c.dims}

    def conv(self, name, source, filters, kernel, *, stride=1, pads=None, depthwise=False, clamp=None, scale=6 / 255, zero_point=None, **weights):
        channels = self.channels[source]
        filters = channels if depthwise else filters
        shape = (filters, 1 if depthwise else channels, kernel, kernel)
        inputs = [source, *self.weights(name, shape, source, **weights)]
        half = kernel // 2
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads or [half] * 4, "group": channels if depthwise else 1}
        real = self.node("Conv", inputs, f"{name}_sum", **attributes)
        if clamp == "relu":
            real = self.node("Relu", [real], f"{name}_relu")
        elif clamp == "relu6":
            bounds = [self.constant(f"{name}_low", np.float32(0)), self.constant(f"{name}_high", np.float32(6))]
            real = self.node("Clip", [real, *bounds], f"{name}_clip")
        low = -128 if self.kind is np.int8 else 0
        if zero_point is None:
            zero_point = low if clamp else low + 128
        self.quantize(name, real, scale, zero_point)
        self.channels[name] = filters
        return name

    def add(self, name, a, b, scale, zero_point):
        self.quantize(name, self.node("Add", [a, b], f"{name}_sum"), scale, zero_point)
        self.channels[name] = self.channels[a]
        return name

    def pool(self, name, source, scale, zero_point):
        self.quantize(name, self.node("GlobalAveragePool", [source], f"{name}_mean"), scale, zero_point)
        self.channels[name] = self.channels[source]
        return name

    def max_pool(self, name, source):
        scale, zero_point = self.scale
        real = self.node("MaxPool", [source], f"{name}_max", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        self.quantize(name, real, scale, zero_point)
        self.channels[name] = self.channels[source]
        return name

    def gemm(self, name, source, filters, *, transposed=False):
        inputs = [source, *self.weights(name, (filters, self.channels[source]), source, columns=transposed)]
        self.quantize(name, self.node("Gemm", inputs, f"{name}_sum", transB=0 if transposed else 1), 4 / 255, 128)
        self.channels[name] = filters
        return name

    def flatten(self, name, source):
        """Flattened, and quantized again as it was: so exporters write it."""
        self.quantize(name, self.node("Flatten", [source], f"{name}_flat"), *self.scale)
        self.channels[name] = self.channels[source]
        return name

    def unary(self, name, op, source, scale, zero_point):
        self.quantize(name, self.node(op, [source], f"{name}_real"), scale, zero_point)
        self.channels[name] = self.channels[source]
        return name

    def matmul(self, name, source, filters):
        weights = self.weights(name, (self.channels[source], filters), source, per_channel=False, bias="none")
        self.quantize(name, self.node("MatMul", [source, *weights], f"{name}_sum"), 9 / 255, 128)
        self.channels[name] = filters
        return name

    def model(self, output: str) -> onnx.ModelProto:
        info = [helper.make_tensor_value_info("x_in", TensorProto.FLOAT, list(self.shape))]
        kind = TensorProto.UINT8 if self.kind is np.uint8 else TensorProto.INT8
        out = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None), helper.make_tensor_value_info(f"{output}_q", kind, None)]
        graph = helper.make_graph(self.nodes, "case", info, out, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        return onnx.shape_inference.infer_shapes(model)


def cases():
    """Name, network, and the value that is compared."""
    stem = dict(stride=2, pads=[0, 0, 1, 1])
    net = Net(1, (1, 3, 113, 97))
    yield "stem_113x97", net, net.conv("y", "x", 8, 3, clamp="relu6", **stem)
    net = Net(2, (4, 24, 11, 9))
    yield "pointwise_batch4", net, net.conv("y", "x", 40, 1)
    net = Net(3, (1, 96, 9, 9))
    yield "pointwise_k96", net, net.conv("y", "x", 24, 1, zero_point=101, scale=5 / 255)
    net = Net(4, (1, 40, 10, 7), np.int8)
    yield "pointwise_s8", net, net.conv("y", "x", 24, 1, clamp="relu", bias="f32")
    net = Net(5, (1, 16, 12, 12))
    yield "pointwise_per_tensor", net, net.conv("y", "x", 20, 1, per_channel=False, bias="none")
    net = Net(6, (1, 16, 12, 12))
    yield "pointwise_u8_weights", net, net.conv("y", "x", 12, 1, per_channel=False, unsigned=True, clamp="relu6")
    net = Net(7, (1, 12, 17, 15))
    yield "dense_5x5", net, net.conv("y", "x", 10, 5, clamp="relu")
    for kernel, stride in ((3, 1), (3, 2), (5, 1), (5, 2)):
        net = Net(10 * kernel + stride, (1, 36, 19, 14))
        pads = None if stride == 1 else [kernel // 2 - 1, kernel // 2 - 1, kernel // 2, kernel // 2]
        yield f"depthwise_{kernel}x{kernel}_{stride}", net, net.conv("y", "x", 0, kernel, stride=stride, pads=pads, depthwise=True, clamp="relu6", scale=4 / 255)
    net = Net(70, (4, 20, 7, 7), np.int8)
    yield "depthwise_s8_batch4", net, net.conv("y", "x", 0, 3, depthwise=True, scale=5 / 255)
    net = Net(80, (1, 24, 7, 7))
    yield "global_average_pool", net, net.pool("y", "x", 0.0031, 140)
    net = Net(81, (1, 16, 15, 13))
    yield "max_pool", net, net.max_pool("y", "x")
    net = Net(82, (5, 40))
    yield "gemm", net, net.gemm("y", "x", 30)
    net = Net(83, (4, 40))
    yield "gemm_columns", net, net.gemm("y", "x", 21, transposed=True)
    net = Net(84, (4, 40))
    yield "matmul", net, net.matmul("y", "x", 30)
    net = Net(85, (1, 6, 9, 8))
    yield "sigmoid", net, net.unary("y", "Sigmoid", "x", 1 / 256, 0)
    net = Net(86, (1, 6, 9, 8), np.int8)
    yield "hard_swish", net, net.unary("y", "HardSwish", "x", 0.0051, -90)
    net = Net(87, (1, 20, 1, 1))
    yield "flatten", net, net.flatten("y", "x")
    net = Net(90, (1, 24, 10, 10))
    wide = net.conv("wide", "x", 96, 1, clamp="relu6")
    deep = net.conv("deep", wide, 0, 3, depthwise=True, clamp="relu6", scale=4 / 255)
    narrow = net.conv("narrow", deep, 24, 1, scale=5 / 255)
    yield "chain_inverted_bottleneck", net, net.add("y", "x", narrow, 0.024, 120)
    net = Net(91, (1, 24, 14, 14))
    yield "chain_add", net, net.add("y", "x", net.conv("a", "x", 24, 1), 0.029, 131)
    net = Net(93, (4, 24, 6, 5))
    yield "chain_classifier", net, net.gemm("y", net.flatten("flat", net.pool("mean", "x", 0.0031, 140)), 33)
    net = Net(92, (4, 3, 30, 23))
    a = net.conv("a", "x", 16, 3, clamp="relu6", **stem)
    b = net.conv("b", a, 0, 5, stride=2, depthwise=True, clamp="relu6", scale=4 / 255)
    yield "chain_pooled", net, net.pool("y", net.conv("c", b, 32, 1, clamp="relu6", scale=3 / 255), 2 / 255, 0)


def whole(options) -> dict[str, np.ndarray]:
    """The default bundle's image encoder on parts of its golden picture."""
    bundle = Path(__file__).parents[2] / "models/default"
    session = onnxruntime.InferenceSession(str(bundle / "image.onnx"), options, providers=["CPUExecutionProvider"])
    picture = np.asarray(Image.open(bundle / "golden.png").convert("RGB"))
    made = {}
    for side in (112, 160, 224):
        x = np.ascontiguousarray(picture[8 : 8 + side, 16 : 16 + side])
        planes = np.ascontiguousarray(((x.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None])
        made |= {f"whole_{side}.x": x, f"whole_{side}.features": session.run(["features"], {"image": planes})[0]}
    return made


def main() -> None:
    if platform.machine() != "aarch64":
        sys.exit(f"onnxruntime's ARM build makes these files; this is {platform.machine()}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = {}
    for name, net, output in cases():
        blob = net.model(output).SerializeToString(deterministic=True)
        x = np.random.default_rng(1000).integers(0, 256, net.shape, np.uint8)
        session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
        (y,) = session.run([f"{output}_q"], {"x_in": (x.astype(np.float32) - 127) / 128})
        low, high = (np.iinfo(y.dtype).min, np.iinfo(y.dtype).max)
        inside = float(((y > low) & (y < high)).mean())
        print(f"{name}: {y.shape}, {len(np.unique(y))} values, {inside:.2f} between the bounds")
        made |= {f"{name}.model": np.frombuffer(blob, np.uint8), f"{name}.x": x, f"{name}.y": y, f"{name}.scale": np.array(net.scale, np.float32)}
    made |= whole(options)
    save_file(made, Path(__file__).with_suffix(".safetensors"), {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__})


if __name__ == "__main__":
    main()

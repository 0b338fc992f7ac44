"""MobileCLIP's image tower (Vasu et al., 2024), MCi0 to MCi2, as an ONNX graph in f32, each block one convolution (`mobileclip` made it so), and
the blocks of convolutions in S0's text tower.

Batch norms and layer scales are folded into the convolutions and products beside them. GELU is one operator here: between quantized convolutions
it is a function of a byte, and the runtime makes a table of its approximation.
"""

import numpy as np
import onnx

from .graph import OPSET_OF_GELU, Graph, image_input, pair
from .layout import Options, State, depth

_EPSILON = 1e-5
_STRIDE = 32
_HEAD = 32  # width of an attention head; the configuration has no other


def tower(state: State, options: Options, side: int) -> onnx.ModelProto:
    if side % _STRIDE:
        raise ValueError(f"expected resolutions that are multiples of {_STRIDE}, got {side}")
    tower = _Convolutions(Graph(OPSET_OF_GELU), state, "visual.", options.activation)
    x = tower.gelu(tower.conv("image", "stem.0", stride=2))
    x = tower.gelu(tower.conv(x, "stem.1", stride=2))
    x = tower.gelu(tower.conv(x, "stem.2"))
    at = side // 4
    for i in range(depth(state, "visual.stages.")):
        stage = f"stages.{i}."
        if tower.has(f"{stage}downsample.proj.0"):
            x, at = tower.conv(x, f"{stage}downsample.proj.0", stride=2), at // 2
            x = tower.gelu(tower.excited(x, f"{stage}downsample.proj.0"))
            x = tower.gelu(tower.conv(x, f"{stage}downsample.proj.1"))
        if tower.has(f"{stage}pos_emb"):
            x = tower.conv(x, f"{stage}pos_emb")
        for j in range(depth(state, f"visual.{stage}blocks.")):
            x = tower.block(x, f"{stage}blocks.{j}.", at)
    x = tower.gelu(tower.excited(tower.conv(x, "final_conv"), "final_conv"))
    g = tower.g
    x = g.op("Reshape", g.op("GlobalAveragePool", x), g.integers(1, -1))
    head = state["visual.head.fc.weight"]
    return g.model(image_input(side), g.linear(x, head, state.get("visual.head.fc.bias")), len(head))


def mixed(g: Graph, x: str, state: State, at: str, length: int, activation: str) -> str:
    """A block of convolutions over the places of a text, `[1, length, d]`."""
    width = len(state[f"{at}token_mixer.weight"])
    part = _Convolutions(g, state, "", activation)
    line = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1]), g.integers(1, width, 1, length))
    part.channels[line] = width
    made = part.block(line, at, length)
    return g.op("Transpose", g.op("Reshape", made, g.integers(1, width, length)), perm=[0, 2, 1])


class _Convolutions:
    """Blocks of a graph under way, of tensors whose names begin with `prefix`."""

    def __init__(self, g: Graph, state: State, prefix: str, activation: str):
        self.g, self.prefix, self.activation = g, prefix, activation
        self.state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        self.channels = {}  # of a value that a convolution made

    def has(self, name: str) -> bool:
        return f"{name}.weight" in self.state

    def gelu(self, x: str) -> str:
        made = self.g.gelu(x, self.activation)
        self.channels[made] = self.channels[x]
        return made

    def conv(self, x: str, name: str, stride: int = 1) -> str:
        return self.conv_of(x, name, *pair(self.state, name), stride)

    def conv_of(self, x: str, name: str, weight: np.ndarray, bias: np.ndarray, stride: int = 1) -> str:
        size, groups = weight.shape[2:], self.channels.get(x, 3) // weight.shape[1]
        around = [side // 2 for side in size] * 2
        made = self.g.op("Conv", x, self.g.constant(weight), self.g.constant(bias), name=name, kernel_shape=size, strides=[stride] * 2, pads=around, group=groups)
        self.channels[made] = len(weight)
        return made

    def excited(self, x: str, name: str) -> str:
        """Channels weighed by what a small perceptron makes of their means."""
        if not self.has(f"{name}.se.fc1"):
            return x
        g = self.g
        shares = g.op("GlobalAveragePool", x)
        self.channels[shares] = self.channels[x]
        hidden = self.conv(shares, f"{name}.se.fc1")
        hidden = self._same(hidden, g.op("Relu", hidden))
        return self._same(x, g.op("Mul", x, g.op("Sigmoid", self.conv(hidden, f"{name}.se.fc2"))))

    def block(self, x: str, at: str, side: int) -> str:
        if self.has(f"{at}token_mixer"):
            x = self.conv(x, f"{at}token_mixer")
            return self._plus(x, self._perceptron(x, at, f"{at}layer_scale"))
        x = self._plus(x, self._attention(x, at, side))
        return self._plus(x, self._perceptron(x, at, f"{at}layer_scale_2"))

    def _perceptron(self, x: str, at: str, scale: str) -> str:
        scaled, shift = self._norm(f"{at}mlp.conv.bn")
        weight = self.state[f"{at}mlp.conv.conv.weight"]
        x = self.conv_of(x, f"{at}mlp.conv", weight * scaled[:, None, None, None], shift)
        x = self.gelu(self.conv(x, f"{at}mlp.fc1"))
        weight, bias = pair(self.state, f"{at}mlp.fc2")
        by = self._scale(scale, len(weight))
        return self.conv_of(x, f"{at}mlp.fc2", weight * by[:, None, None, None], bias * by)

    def _attention(self, x: str, at: str, side: int) -> str:
        g, state = self.g, self.state
        scaled, shift = self._norm(f"{at}norm")
        width = len(scaled)
        # The norm is one of channels, so it goes into the projections.
        qkv = state[f"{at}token_mixer.qkv.weight"]
        bias = state.get(f"{at}token_mixer.qkv.bias", np.zeros(3 * width, np.float32))
        parts = list(zip(np.split(qkv * scaled, 3), np.split(bias + qkv @ shift, 3)))
        weight, bias = pair(state, f"{at}token_mixer.proj")
        by = self._scale(f"{at}layer_scale_1", width)
        cells = g.op("Transpose", g.op("Reshape", x, g.integers(1, width, side * side)), perm=[0, 2, 1])
        made = g.attention(cells, cells, parts, (weight * by[:, None], bias * by), _HEAD, None)
        return g.op("Reshape", g.op("Transpose", made, perm=[0, 2, 1]), g.integers(1, width, side, side))

    def _norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """What a batch norm multiplies with and adds."""
        weight, bias = pair(self.state, name)
        scale = weight / np.sqrt(self.state[f"{name}.running_var"] + _EPSILON)
        return scale, bias - self.state[f"{name}.running_mean"] * scale

    def _scale(self, name: str, channels: int) -> np.ndarray:
        return self.state.get(f"{name}.gamma", np.ones(channels, np.float32)).reshape(-1)

    def _plus(self, x: str, y: str) -> str:
        return self._same(x, self.g.op("Add", x, y))

    def _same(self, x: str, made: str) -> str:
        self.channels[made] = self.channels[x]
        return made

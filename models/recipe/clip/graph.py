"""Writes an ONNX graph by hand: constants, nodes, and the pieces that transformers are made of. The batch is one."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8
OPSET_OF_GELU = 20  # the first with an operator for it


class Graph:
    """A graph in f32 under way."""

    def __init__(self, opset: int = OPSET):
        self.nodes, self.constants, self.opset = [], {}, opset

    def op(self, op: str, *inputs: str, name: str | None = None, **attributes) -> str:
        made = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [made], name=f"/{made}", **attributes))
        return made

    def constant(self, value) -> str:
        value = np.ascontiguousarray(value)
        made = f"c{len(self.constants)}"
        self.constants[made] = value.astype(np.float32) if value.dtype == np.float64 else value
        return made

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None) -> str:
        """`weight` `[made, fed]`, as PyTorch has it."""
        made = self.op("MatMul", x, self.constant(weight.T), name=f"linear_{len(self.nodes)}")
        return made if bias is None else self.op("Add", made, self.constant(bias))

    def norm(self, x: str, scale: np.ndarray, bias: np.ndarray, epsilon: float = 1e-5) -> str:
        return self.op("LayerNormalization", x, self.constant(scale), self.constant(bias), axis=-1, epsilon=epsilon)

    def number(self, value: float) -> str:
        return self.constant(np.float32(value))

    def gelu(self, x: str, activation: str) -> str:
        """`quick-gelu`, `gelu` or `gelu-tanh`."""
        if activation == "quick-gelu":
            return self.op("Mul", x, self.op("Sigmoid", self.op("Mul", x, self.number(1.702))))
        if self.opset >= OPSET_OF_GELU:
            return self.op("Gelu", x, approximate="tanh" if activation == "gelu-tanh" else "none")
        half, one = self.number(0.5), self.number(1)
        if activation == "gelu":
            return self.op("Mul", self.op("Mul", x, self.op("Add", self.op("Erf", self.op("Div", x, self.number(np.sqrt(2)))), one)), half)
        cube = self.op("Mul", self.op("Mul", x, self.op("Mul", x, x)), self.number(0.044715))
        inner = self.op("Mul", self.op("Add", x, cube), self.number(np.sqrt(2 / np.pi)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", self.op("Tanh", inner), one)), half)

    def attention(
        self, query: str | np.ndarray, memory: str, parts: list[tuple[np.ndarray, np.ndarray]], out: tuple[np.ndarray, np.ndarray], head: int, mask: str | None
    ) -> str:
        """Multi-head attention `[1, l, d]`; `parts` are the projections of query, key and value. A query that is known, `[l, d]`, is projected here."""
        width = parts[0][0].shape[0]
        split = self.integers(1, -1, width // head, head)

        def heads(x: str, part: int, perm: list[int]) -> str:
            return self.op("Transpose", self.op("Reshape", self.linear(x, *parts[part]), split), perm=perm)

        if isinstance(query, str):
            q = heads(query, 0, [0, 2, 1, 3])
        else:
            projected = query @ parts[0][0].T + parts[0][1]
            q = self.constant(projected.reshape(1, len(query), width // head, head).transpose(0, 2, 1, 3).astype(np.float32))
        k, v = heads(memory, 1, [0, 2, 3, 1]), heads(memory, 2, [0, 2, 1, 3])
        scores = self.op("Mul", self.op("MatMul", q, k), self.number(head**-0.5))
        if mask:
            scores = self.op("Add", scores, mask)
        mixed = self.op("Transpose", self.op("MatMul", self.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", mixed, self.integers(1, -1, width)), *out)

    def block(self, x: str, state: dict[str, np.ndarray], at: str, head: int, activation: str, epsilon: float, mask: str | None = None) -> str:
        """open_clip's residual attention block."""
        y = self.norm(x, *pair(state, f"{at}ln_1"), epsilon)
        x = self.op("Add", x, self.attention(y, y, projections(state, f"{at}attn."), pair(state, f"{at}attn.out_proj"), head, mask))
        return self.op("Add", x, self.perceptron(self.norm(x, *pair(state, f"{at}ln_2"), epsilon), state, f"{at}mlp.", activation))

    def perceptron(self, x: str, state: dict[str, np.ndarray], at: str, activation: str) -> str:
        return self.linear(self.gelu(self.linear(x, *pair(state, f"{at}c_fc")), activation), *pair(state, f"{at}c_proj"))

    def model(self, inputs: list[onnx.ValueInfoProto], output: str, dimension: int) -> onnx.ModelProto:
        """The graph with its output named `embedding`, `[1, dimension]`, of any length."""
        self.op("Reshape", output, self.integers(1, dimension), name="embedding")
        outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dimension])]
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "clip", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=IR, producer_name="ocellus-recipe")
        onnx.checker.check_model(model)
        return model


def pair(state: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """A layer's weight and bias."""
    return state[f"{name}.weight"], state[f"{name}.bias"]


def projections(state: dict[str, np.ndarray], at: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of queries, keys and values."""
    return list(zip(np.split(state[f"{at}in_proj_weight"], 3), np.split(state[f"{at}in_proj_bias"], 3)))


def image_input(side: int | str) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])]


def ids_input(length: int | str = "l") -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, length])]

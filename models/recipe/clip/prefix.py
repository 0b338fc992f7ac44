"""The text tower in the form that takes tokens' embeddings, which a learnt prefix needs, and a draft in that form.

A prefix is vectors `[p, width]` that stand between the start of a text and a label's tokens (Zhou et al., 2022, CoOp). The table of
tokens leaves the graph and becomes a file of the bundle, the same i8 rows with their scales, so that without a prefix both forms
compute the same.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .. import runtime, tensors
from . import checkpoint, draft, quantize, towers
from .layout import State
from .tokens import Tokens

INPUT = "inputs_embeds"
_NAMES = ("prefix", "ctx", "prompt_learner.ctx")
_LABELS = ("cat", "red double-decker bus", "coffee")


def read(path: Path) -> np.ndarray:
    """The prefix `[p, width]` of a file: the tensor `prefix`, or `ctx` as CoOp saves it."""
    found = checkpoint.load(path)
    name = next((name for name in _NAMES if name in found), None)
    if name is None or found[name].ndim != 2:
        raise ValueError(f"{path}: expected a tensor [p, width] of the name {' or '.join(_NAMES)}, got {sorted(found)[:5]}; contexts of a class each have no place")
    return found[name].astype(np.float32)


def of_embeddings(model: onnx.ModelProto) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """A text tower of `towers` that takes `inputs_embeds` `[1, l, width]` in the place of ids, and its table: i8 rows `[pieces, width]` and
    scales `[pieces]`. Where it pools at the largest id, it pools at the row that is nearest to that id's."""
    graph = copy.deepcopy(model.graph)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    ids = graph.input[0].name
    first, second = (node for node in graph.node if node.op_type == "Gather" and node.input[1] == ids)
    rows, scales = constants[first.input[0]], constants[second.input[0]].reshape(-1)
    if rows.dtype != np.int8:
        raise ValueError("expected a table in i8 with a scale a row")
    cast = next(node for node in graph.node if first.output[0] in node.input)
    looked_up = next(node for node in graph.node if cast.output[0] in node.input)
    gone = [node.name for node in (first, second, cast, looked_up)]

    def constant(name: str, value: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    nodes = []
    for node in graph.node:
        if node.name in gone:
            continue
        if node.op_type == "ArgMax" and node.input[0] == ids:
            end = constant("end_token", (rows[-1:].astype(np.float32) * scales[-1])[None])
            parts = [("Sub", [INPUT, end]), ("Abs", ["end_sub"]), ("ReduceSum", ["end_abs", constant("end_axes", np.array([-1]))]), ("Neg", ["end_reducesum"])]
            for op, inputs in parts:
                options = {"keepdims": 0} if op == "ReduceSum" else {}
                nodes.append(helper.make_node(op, inputs, [f"end_{op.lower()}"], name=f"/end_{op.lower()}", **options))
            node.input[0] = "end_neg"
        for at, name in enumerate(node.input):
            if name in (looked_up.output[0], ids):
                node.input[at] = INPUT
        nodes.append(node)
    made = helper.make_graph(nodes, graph.name, [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [1, "l", rows.shape[1]])], list(graph.output), list(graph.initializer))
    used = {name for node in nodes for name in node.input}
    for tensor in [t for t in made.initializer if t.name not in used]:
        made.initializer.remove(tensor)
    made = helper.make_model(made, opset_imports=list(model.opset_import), ir_version=model.ir_version, producer_name=model.producer_name)
    onnx.checker.check_model(made)
    return made, rows, scales


def files(made: dict[str, bytes], state: State, tokens: Tokens, facts: draft.Facts, texts: list[str], prefix: np.ndarray | None, mix: float) -> dict[str, bytes]:
    """`made`, the files of a draft, with its text tower in this form; and with a prefix, whose share in a label is `mix`."""
    in_bytes, rows, scales = of_embeddings(towers.text(state, towers.in_bytes(state, facts.options)))
    width = rows.shape[1]
    if prefix is not None and prefix.shape[1] != width:
        raise ValueError(f"expected a prefix of vectors of {width}, the width of the text tower's tokens, got {prefix.shape[1]}")
    laid = _layout(tokens, draft.lengths(state), rows, scales)
    seen = [laid(text, None) for text in texts] + ([laid(text, prefix) for text in texts] if prefix is not None else [])
    made = made | {
        "text.onnx": quantize.quantize(in_bytes, seen).SerializeToString(deterministic=True),
        "tokens.safetensors": tensors.serialize({"tokens": rows, "scales": scales}),
    }
    tables = f'\n[text.tokens]\nfile = "tokens.safetensors"\nwidth = {width}\n'
    if prefix is not None:
        made["prompts.safetensors"] = tensors.serialize({"prefix": prefix})
        tables += f'\n[soft_prompts]\nfile = "prompts.safetensors"\nprefix = {len(prefix)}\ndimension = {width}\nmix = {mix}\n'
    return made | {"manifest.toml": made["manifest.toml"] + tables.encode()}


def fixture(out: Path, made: dict[str, bytes], state: State, tokens: Tokens, facts: draft.Facts, texts: list[str]) -> None:
    """What tests lay over a draft: the text tower in this form with a random prefix, and labels' embeddings in f32."""
    prefix = (np.random.default_rng(5).standard_normal((4, state["token_embedding.weight"].shape[1])) * 0.5).astype(np.float32)
    made = files(made, state, tokens, facts, texts, prefix, 0.5)
    fp32, rows, scales = of_embeddings(towers.text(state, facts.options))
    laid, session = _layout(tokens, draft.lengths(state), rows, scales), runtime.session(fp32)
    soft = np.concatenate([session.run(None, {INPUT: laid(label, prefix)})[0] for label in _LABELS])
    own = {name: made[name] for name in ("text.onnx", "tokens.safetensors", "prompts.safetensors", "manifest.toml")}
    draft.write(own | {"soft.json": json.dumps({label: [round(float(v), 6) for v in row] for label, row in zip(_LABELS, soft)}, indent=1).encode() + b"\n"}, out)


def _layout(tokens: Tokens, lengths: list[int], rows: np.ndarray, scales: np.ndarray) -> Callable[[str, np.ndarray | None], np.ndarray]:
    """A function from a text and a prefix to what the tower takes, laid out as the runtime does."""
    first = 0 if tokens.start is None else 1

    def laid(text: str, prefix: np.ndarray | None) -> np.ndarray:
        places = [0] * (0 if prefix is None else len(prefix))
        ids = replace(tokens, encode=lambda text: places + tokens.encode(text)).laid(text, lengths)[0]
        embeddings = rows[ids].astype(np.float32) * scales[ids, None]
        if places:
            embeddings[first : first + len(places)] = prefix
        return embeddings[None]

    return laid

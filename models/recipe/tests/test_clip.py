"""The towers' graphs against the same arithmetic in numpy, and what the recipe reads."""

import gzip
import json
import pickle
import struct
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recipe import runtime
from recipe.clip import bpe, checkpoint, layout, random_models, towers
from recipe.clip.layout import Options
from recipe.plus import build as plus

_OPTIONS = Options("quick-gelu", image_head=8, text_head=8)


def _norm(x, state, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * state[f"{name}.weight"] + state[f"{name}.bias"]


def _softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _attention(query, memory, weights, biases, out, head):
    q, k, v = (source @ w.T + b for source, w, b in zip((query, memory, memory), weights, biases))
    columns = [slice(i, i + head) for i in range(0, q.shape[1], head)]
    return q, k, v, columns, out


def _heads(q, k, v, columns, out, head, mask=0.0):
    mixed = np.concatenate([_softmax(q[:, c] @ k[:, c].T / np.sqrt(head) + mask) @ v[:, c] for c in columns], 1)
    return mixed @ out[0].T + out[1]


def _blocks(x, state, at, head, mask=0.0):
    for i in range(layout.depth(state, f"{at}transformer.resblocks.")):
        b = f"{at}transformer.resblocks.{i}."
        y = _norm(x, state, f"{b}ln_1")
        out = (state[f"{b}attn.out_proj.weight"], state[f"{b}attn.out_proj.bias"])
        parts = _attention(y, y, np.split(state[f"{b}attn.in_proj_weight"], 3), np.split(state[f"{b}attn.in_proj_bias"], 3), out, head)
        x = x + _heads(*parts, head, mask)
        y = _norm(x, state, f"{b}ln_2") @ state[f"{b}mlp.c_fc.weight"].T + state[f"{b}mlp.c_fc.bias"]
        y = y / (1 + np.exp(-1.702 * y))
        x = x + y @ state[f"{b}mlp.c_proj.weight"].T + state[f"{b}mlp.c_proj.bias"]
    return x


@pytest.fixture
def vit_state():
    weights = random_models.Weights(1)
    random_models.vit(weights, 4, 3, 16, 2, 8)
    random_models.text_tower(weights, 40, 10, 16, 2, 8)
    return weights.state


def test_the_vision_transformer_is_open_clips(vit_state):
    image = np.random.default_rng(2).standard_normal((1, 3, 12, 12)).astype(np.float32)
    patches = image[0].reshape(3, 3, 4, 3, 4).transpose(1, 3, 0, 2, 4).reshape(9, -1)
    x = patches @ vit_state["visual.conv1.weight"].reshape(16, -1).T
    x = np.concatenate([vit_state["visual.class_embedding"][None], x]) + vit_state["visual.positional_embedding"]
    x = _blocks(_norm(x, vit_state, "visual.ln_pre"), vit_state, "visual.", 8)
    wanted = _norm(x[0], vit_state, "visual.ln_post") @ vit_state["visual.proj"]
    (got,) = runtime.session(towers.vit(vit_state, _OPTIONS, 12)).run(None, {"image": image})
    np.testing.assert_allclose(got[0], wanted, rtol=1e-3, atol=1e-4)


def test_the_text_tower_is_causal_and_pools_at_the_end(vit_state):
    table = vit_state["token_embedding.weight"]
    session = runtime.session(towers.text(vit_state, _OPTIONS))
    ids = [38, 5, 7, 39]
    mask = np.triu(np.full((4, 4), -1e9), 1)
    x = _blocks(table[ids] + vit_state["positional_embedding"][:4], vit_state, "", 8, mask)
    wanted = _norm(x[3], vit_state, "ln_final") @ vit_state["text_projection"]
    results = [session.run(None, {"input_ids": np.array([row], np.int64)})[0][0] for row in (ids, ids + [0] * 6, ids + [3, 38, 11])]
    np.testing.assert_allclose(results[0], wanted, rtol=0.02, atol=0.02)  # the table is in INT8
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-4, atol=1e-5)


def test_the_residual_network_pools_by_attention():
    weights = random_models.Weights(3)
    random_models.resnet(weights, 4, (1, 1, 1, 1), 2, 8)
    state, image = weights.state, np.random.default_rng(4).standard_normal((1, 3, 64, 64)).astype(np.float32)
    model = towers.resnet(state, _OPTIONS, 64)
    # The last feature map is what the first node behind the last Relu reads.
    last = [n.output[0] for n in model.graph.node if n.op_type == "Relu"][-1]
    model.graph.output.append(type(model.graph.output[0])(name=last))
    got, cells = runtime.session(model).run(None, {"image": image})
    assert cells.shape == (1, 128, 2, 2) and np.abs(cells).max() > 0
    x = cells[0].reshape(128, 4).T
    x = np.concatenate([x.mean(0, keepdims=True), x]) + state["visual.attnpool.positional_embedding"]
    parts = [(state[f"visual.attnpool.{p}_proj.weight"], state[f"visual.attnpool.{p}_proj.bias"]) for p in "qkvc"]
    wanted = _heads(*_attention(x[:1], x, [w for w, _ in parts[:3]], [b for _, b in parts[:3]], parts[3], 8), 8)
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


def test_position_embeddings_keep_what_is_smooth():
    ramp = np.stack([np.zeros(17), np.concatenate([[9.0], np.tile(np.arange(4.0), 4)])], 1).astype(np.float32)
    wide = towers.interpolated(ramp, 8)
    assert wide.shape == (65, 2) and wide[0, 1] == 9 and not wide[:, 0].any()
    row = wide[1:, 1].reshape(8, 8)[3]
    assert (np.diff(row) > 0).all() and abs(row.mean() - 1.5) < 0.01
    np.testing.assert_array_equal(towers.interpolated(ramp, 4), ramp)


def test_hugging_faces_names_are_open_clips(vit_state):
    theirs = {}
    for name, value in vit_state.items():
        for pattern, replacement in (
            ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
            ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
            ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
            ("visual.ln_pre", "vision_model.pre_layrnorm"),
            ("visual.ln_post", "vision_model.post_layernorm"),
            ("visual.transformer.resblocks", "vision_model.encoder.layers"),
            ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            ("ln_final", "text_model.final_layer_norm"),
            ("ln_1", "layer_norm1"),
            ("ln_2", "layer_norm2"),
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
            ("attn.out_proj", "self_attn.out_proj"),
        ):
            name = name.replace(pattern, replacement)
        name = "text_model.embeddings.position_embedding.weight" if name == "positional_embedding" else name
        name = f"text_model.encoder.layers{name.removeprefix('transformer.resblocks')}" if name.startswith("transformer.resblocks") else name
        if name in ("visual.proj", "text_projection"):
            name, value = {"visual.proj": "visual_projection.weight"}.get(name, "text_projection.weight"), value.T
        if "in_proj" in name:
            part = name.rsplit("_", 1)[1]
            block = name.split("attn.")[0]
            theirs |= {f"{block}self_attn.{p}_proj.{part}": v for p, v in zip("qkv", np.split(value, 3))}
            continue
        theirs[name] = value
    ours = layout.named(theirs)
    for name, value in vit_state.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def test_towers_of_another_kind_are_refused_by_name(vit_state):
    for name in ("visual.trunk.stem.weight", "image_encoder.model.patch_emb.0.block.conv.weight"):
        with pytest.raises(layout.UnknownLayout, match=f"{name}.*pack"):
            layout.named(vit_state | {name: np.zeros(1)})
    with pytest.raises(layout.UnknownLayout, match="text_projection"):
        layout.named({name: v for name, v in vit_state.items() if name != "text_projection"})
    prefixed = {f"module.{name}": v for name, v in vit_state.items()}
    assert set(layout.named(prefixed)) == set(vit_state)


def test_checkpoints_of_each_kind_are_read(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}).encode()
    half = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + half)
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "m.safetensors")["a"], values)

    # A zip as PyTorch writes it: the pickle names a storage by a persistent id.
    # GLOBAL cannot be written by pickling here, so the few opcodes are.
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ"
    tensor = rebuild + storage + b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tR"
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}X\x01\x00\x00\x00b" + tensor + b"s.")
        archive.writestr("m/data/0", values.tobytes())
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "m.pt")["b"], values)

    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps({"x": print}))
    with pytest.raises(ValueError, match="no tensor"):
        checkpoint.load(tmp_path / "evil.pt")


def test_tokenizers_are_read_from_each_file(tmp_path):
    merges = [("a", "b"), ("ab", "c</w>")]
    wanted = bpe.of_merges(merges)
    lines = "\n".join(" ".join(m) for m in merges)
    (tmp_path / "bpe.txt.gz").write_bytes(gzip.compress(f"#version: 0.2\n{lines}\n".encode()))
    assert bpe.read(tmp_path / "bpe.txt.gz") == wanted
    vocabulary = {piece: i for i, piece in enumerate(wanted.pieces)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text(f"#version: 0.2\n{lines}\n")
    assert bpe.read(tmp_path) == wanted
    assert wanted.pieces[:2] == ["!", '"'] and wanted.pieces[-1] == bpe.END and len(wanted.pieces) == 516
    with pytest.raises(ValueError, match="one model"):
        wanted.tokens().fits(515)


def test_the_plus_manifest_is_the_defaults_with_a_frame_and_without_relevance():
    default = (Path(__file__).parents[2] / "default/manifest.toml").read_text()
    made = tomllib.loads(plus._manifest(default))
    assert made["name"] == "ocellus-plus" and "relevance" not in made and made["golden"] == tomllib.loads(default)["golden"]
    assert made["text"]["sequence"] == {"start": "[CLS]", "end": "[SEP]", "pad": "[PAD]", "lengths": [16, 32, 128]}

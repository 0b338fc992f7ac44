"""SigLIP: its towers against the same arithmetic in numpy, the names of its checkpoints, and its pieces."""

import base64
import json

import numpy as np
import pytest

from recipe import runtime
from recipe.clip import command, draft, layout, random_models, towers, unigram
from recipe.clip.layout import Options

from .test_clip import _attention, _heads, _softmax

_OPTIONS = Options("gelu-tanh", image_head=8, text_head=8)
_PIECES = 34
_TEXTS = ["a photo of a cat", "two dogs on the beach", "a red double-decker bus", "coffee in a cup, on a table", "the moon over the sea", "an old map of the city"]


@pytest.fixture
def state():
    weights = random_models.Weights(5)
    random_models.text_tower(weights, 40, 10, 16, 2, 16)
    random_models.vit(weights, 4, 3, 16, 2, 16)
    random_models.siglip_head(weights, 16)
    return weights.state


def _norm(x, state, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * state[f"{name}.weight"] + state[f"{name}.bias"]


def _perceptron(x, state, at):
    x = x @ state[f"{at}c_fc.weight"].T + state[f"{at}c_fc.bias"]
    x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x @ state[f"{at}c_proj.weight"].T + state[f"{at}c_proj.bias"]


def _attended(query, memory, state, at):
    out = (state[f"{at}out_proj.weight"], state[f"{at}out_proj.bias"])
    return _heads(*_attention(query, memory, np.split(state[f"{at}in_proj_weight"], 3), np.split(state[f"{at}in_proj_bias"], 3), out, 8), 8)


def _blocks(x, state, at):
    for i in range(2):
        b = f"{at}transformer.resblocks.{i}."
        y = _norm(x, state, f"{b}ln_1")
        x = x + _attended(y, y, state, f"{b}attn.")
        x = x + _perceptron(_norm(x, state, f"{b}ln_2"), state, f"{b}mlp.")
    return x


def test_the_image_tower_pools_by_its_probe(state):
    image = np.random.default_rng(2).standard_normal((1, 3, 12, 12)).astype(np.float32)
    patches = image[0].reshape(3, 3, 4, 3, 4).transpose(1, 3, 0, 2, 4).reshape(9, -1)
    x = patches @ state["visual.conv1.weight"].reshape(16, -1).T + state["visual.conv1.bias"] + state["visual.positional_embedding"]
    x = _norm(_blocks(x, state, "visual."), state, "visual.ln_post")
    x = _attended(state["visual.map.probe"][None], x, state, "visual.map.attn.")
    wanted = x + _perceptron(_norm(x, state, "visual.map.ln"), state, "visual.map.mlp.")
    (got,) = runtime.session(towers.image(state, _OPTIONS, 12)).run(None, {"image": image})
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)
    assert not np.allclose(wanted[0], _softmax(wanted)[0])


def test_the_text_tower_sees_the_whole_text_and_pools_at_the_last_place(state):
    session = runtime.session(towers.text(state, _OPTIONS))
    ids = [5, 7, 1, 1, 1, 1, 1, 1, 1, 1]
    x = _blocks(state["token_embedding.weight"][ids] + state["positional_embedding"], state, "")
    wanted = _norm(x[-1], state, "ln_final") @ state["text_projection"] + state["text_projection_bias"]
    (got,) = session.run(None, {"input_ids": np.array([ids], np.int64)})
    np.testing.assert_allclose(got[0], wanted, rtol=0.02, atol=0.02)  # the table is in INT8
    assert draft.lengths(state) == [10] and layout.family(state) is layout.SIGLIP


def _as_hugging_face(state):
    theirs = {}
    names = [
        ("visual.conv1.", "vision_model.embeddings.patch_embedding."),
        ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        ("visual.ln_post", "vision_model.post_layernorm"),
        ("visual.map.attn.", "vision_model.head.attention."),
        ("visual.map.ln.", "vision_model.head.layernorm."),
        ("visual.map.", "vision_model.head."),
        ("visual.transformer.resblocks", "vision_model.encoder.layers"),
        ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
        ("ln_final", "text_model.final_layer_norm"),
        ("text_projection_bias", "text_model.head.bias"),
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
    ]
    for name, value in state.items():
        for ours, other in names:
            name = name.replace(ours, other)
        name = "text_model.embeddings.position_embedding.weight" if name == "positional_embedding" else name
        name = f"text_model.encoder.layers{name.removeprefix('transformer.resblocks')}" if name.startswith("transformer.resblocks") else name
        if name == "text_projection":
            name, value = "text_model.head.weight", value.T
        if "head" not in name and "in_proj" in name:
            block, part = name.split("attn.")[0], name.rsplit("_", 1)[1]
            theirs |= {f"{block}self_attn.{p}_proj.{part}": v for p, v in zip("qkv", np.split(value, 3))}
            continue
        theirs[name if "head" in name else name.replace(".attn.out_proj", ".self_attn.out_proj")] = value
    theirs["vision_model.head.probe"] = theirs["vision_model.head.probe"].reshape(1, 1, -1)
    return theirs


def _as_open_clip(state):
    theirs = {}
    names = [
        ("visual.conv1.", "visual.trunk.patch_embed.proj."),
        ("visual.positional_embedding", "visual.trunk.pos_embed"),
        ("visual.ln_post", "visual.trunk.norm"),
        ("visual.map.probe", "visual.trunk.attn_pool.latent"),
        ("visual.map.attn.out_proj", "visual.trunk.attn_pool.proj"),
        ("visual.map.ln", "visual.trunk.attn_pool.norm"),
        ("visual.map", "visual.trunk.attn_pool"),
        ("visual.transformer.resblocks", "visual.trunk.blocks"),
    ]
    inside = [("ln_1", "norm1"), ("ln_2", "norm2"), ("attn.in_proj_", "attn.qkv."), ("attn.out_proj", "attn.proj"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")]
    for name, value in state.items():
        for ours, other in names:
            name = name.replace(ours, other)
        if name.startswith("visual.trunk.attn_pool.attn.in_proj_"):
            part, third = name.rsplit("_", 1)[1], len(value) // 3
            theirs |= {f"visual.trunk.attn_pool.q.{part}": value[:third], f"visual.trunk.attn_pool.kv.{part}": value[third:]}
            continue
        if name.startswith("visual."):
            for ours, other in inside:
                name = name.replace(ours, other)
        elif not name.startswith("logit"):
            name = {"text_projection_bias": "text.text_projection.bias", "text_projection": "text.text_projection.weight"}.get(name, f"text.{name}")
        theirs[name] = value.T if name == "text.text_projection.weight" else value
    theirs["visual.trunk.pos_embed"] = theirs["visual.trunk.pos_embed"][None]
    return theirs


@pytest.mark.parametrize("theirs", [_as_hugging_face, _as_open_clip])
def test_both_layouts_are_read(state, theirs):
    ours = layout.named(theirs(state))
    assert set(ours) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def test_what_is_no_siglip_of_one_resolution_is_refused_by_name(state):
    theirs = _as_hugging_face(state)
    with pytest.raises(layout.UnknownLayout, match="NaFlex"):
        layout.named(theirs | {"vision_model.embeddings.patch_embedding.weight": np.zeros((16, 48), np.float32)})
    with pytest.raises(layout.UnknownLayout, match="logit_bias"):
        layout.named({name: value for name, value in theirs.items() if name != "logit_bias"})


def test_position_embeddings_without_a_class_token_are_interpolated():
    ramp = np.tile(np.arange(4.0), 4)[:, None].astype(np.float32)
    wide = towers.interpolated(ramp, 6, 0)
    assert wide.shape == (36, 1) and (np.diff(wide.reshape(6, 6)[2]) > 0).all()
    with pytest.raises(ValueError, match="0 class tokens"):
        towers.interpolated(ramp[:15], 6, 0)


def test_pieces_are_read_from_each_file(tmp_path):
    made = unigram.train(_TEXTS, _PIECES)
    (tmp_path / "spiece.model").write_bytes(made.reference().serialized_model_proto())
    assert unigram.is_at(tmp_path) and unigram.is_at(tmp_path / "spiece.model")
    vocab = [[piece, float(score) if np.isfinite(score) else 0.0] for piece, score in zip(made.pieces, made.scores)]
    special = [{"content": piece, "id": i, "special": True} for i, piece in enumerate(made.pieces[:3])]
    precompiled = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(made.characters).decode()}
    whole = {"model": {"type": "Unigram", "unk_id": 2, "vocab": vocab}, "added_tokens": special, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, precompiled]}}
    folder = tmp_path / "hugging-face"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    for path in (tmp_path, tmp_path / "spiece.model", folder):
        got = command.tokens_of(path, _PIECES)
        assert got.pieces == made.pieces and got.files == made.files(), path
    assert got.laid("Photo of a CAT!", [8]).shape == (1, 8) and got.laid("", [4]).tolist() == [[1, 1, 1, 1]]
    long = got.laid("cat " * 50, [8])[0].tolist()
    assert long[-1] == 1 and 1 not in long[:-1]
    # mT5's vocabulary is longer than the table, by pieces that are in no text.
    assert unigram.Unigram([*made.pieces, "x"], np.append(made.scores, np.float32(-np.inf)), b"").cut_to(_PIECES).pieces == made.pieces
    with pytest.raises(ValueError, match="one model"):
        command.tokens_of(folder, _PIECES - 1).fits(_PIECES - 1)


def test_pieces_of_another_kind_are_refused_by_name(tmp_path):
    from sentencepiece import sentencepiece_model_pb2 as protocol

    model = protocol.ModelProto.FromString(unigram.train(_TEXTS, _PIECES).reference().serialized_model_proto())
    model.trainer_spec.model_type = 2
    (tmp_path / "tokenizer.model").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="Gemma"):
        unigram.read(tmp_path)

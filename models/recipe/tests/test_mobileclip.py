"""MobileCLIP: the tower of one convolution a block against the one of many branches that was trained, and the names of its checkpoints."""

import re

import numpy as np
import pytest

from recipe import runtime
from recipe.clip import draft, layout, mci, random_models, towers
from recipe.clip.graph import Graph, image_input
from recipe.clip.layout import Options

_OPTIONS = Options("gelu", image_head=32, text_head=8)
_AT = "visual.trunk."


@pytest.fixture
def state():
    """As open_clip has it, with S0's text tower."""
    weights = random_models.Weights(7)
    random_models.text_tower(weights, 40, 10, 16, 2, 16)
    random_models.mixers_around(weights, 16)
    random_models.mci(weights, (8, 16, 32, 64), (1, 2, 1, 1), 16)
    return {name if name.startswith(("visual.", "logit")) else f"text.{name}": value for name, value in weights.state.items()}


class _Trained:
    """The tower with its branches, batch norms and scales as they stand in the state dict."""

    def __init__(self, state, at=_AT):
        self.state, self.g, self.at = state, Graph(), at

    def get(self, name):
        return self.state.get(f"{self.at}{name}")

    def conv(self, x, name, groups, stride=1):
        weight, bias = self.get(f"{name}.weight"), self.get(f"{name}.bias")
        inputs = [x, self.g.constant(weight)] + ([] if bias is None else [self.g.constant(bias)])
        size = weight.shape[2:]
        return self.g.op("Conv", *inputs, kernel_shape=size, pads=[side // 2 for side in size] * 2, strides=[stride] * 2, group=groups)

    def norm(self, x, name):
        parts = [self.g.constant(self.get(f"{name}.{part}")) for part in ("weight", "bias", "running_mean", "running_var")]
        return self.g.op("BatchNormalization", x, *parts, epsilon=1e-5)

    def branches(self, x, name, fed, groups, stride=1):
        found = sorted({m.group(1) for key in self.state if (m := re.fullmatch(re.escape(f"{self.at}{name}.") + r"(.*)\.conv\.weight", key))})
        made = [self.norm(self.conv(x, f"{name}.{branch}.conv", groups, stride), f"{name}.{branch}.bn") for branch in found]
        if self.get(f"{name}.identity.weight") is not None:
            made.append(self.norm(x, f"{name}.identity"))
        total = made[0]
        for one in made[1:]:
            total = self.g.op("Add", total, one)
        return self.excited(total, name)

    def excited(self, x, name):
        if self.get(f"{name}.se.fc1.weight") is None:
            return x
        hidden = self.g.op("Relu", self.conv(self.g.op("GlobalAveragePool", x), f"{name}.se.fc1", 1))
        return self.g.op("Mul", x, self.g.op("Sigmoid", self.conv(hidden, f"{name}.se.fc2", 1)))

    def gelu(self, x):
        return self.g.gelu(x, "gelu")

    def scaled(self, x, name):
        return self.g.op("Mul", x, self.g.constant(self.get(f"{name}.gamma")[None]))

    def perceptron(self, x, block, width):
        x = self.norm(self.conv(x, f"{block}mlp.conv.conv", width), f"{block}mlp.conv.bn")
        return self.conv(self.gelu(self.conv(x, f"{block}mlp.fc1", 1)), f"{block}mlp.fc2", 1)

    def mixed(self, x, block, width):
        g = self.g
        mixed = g.op("Sub", self.branches(x, f"{block}token_mixer.mixer", 1, width), self.branches(x, f"{block}token_mixer.norm", 1, width))
        x = g.op("Add", x, self.scaled(mixed, f"{block}token_mixer.layer_scale"))
        return g.op("Add", x, self.scaled(self.perceptron(x, block, width), f"{block}layer_scale"))

    def attention(self, x, block, width, side):
        g = self.g
        cells = g.op("Transpose", g.op("Reshape", x, g.integers(1, width, side * side)), perm=[0, 2, 1])
        qkv = g.op("MatMul", cells, g.constant(self.get(f"{block}token_mixer.qkv.weight").T))
        qkv = g.op("Transpose", g.op("Reshape", qkv, g.integers(side * side, 3, width // 32, 32)), perm=[1, 2, 0, 3])
        q, k, v = (g.op("Gather", qkv, g.integers(at)) for at in range(3))
        q, k, v = (g.op("Reshape", part, g.integers(width // 32, side * side, 32)) for part in (q, k, v))
        weights = g.op("Softmax", g.op("MatMul", g.op("Mul", q, g.number(32**-0.5)), g.op("Transpose", k, perm=[0, 2, 1])), axis=-1)
        made = g.op("Reshape", g.op("Transpose", g.op("MatMul", weights, v), perm=[1, 0, 2]), g.integers(1, side * side, width))
        made = g.linear(made, self.get(f"{block}token_mixer.proj.weight"), self.get(f"{block}token_mixer.proj.bias"))
        return g.op("Reshape", g.op("Transpose", made, perm=[0, 2, 1]), g.integers(1, width, side, side))

    def model(self, side, widths, blocks):
        g = self.g
        x = self.gelu(self.branches("image", "stem.0", 3, 1, 2))
        x = self.gelu(self.branches(x, "stem.1", 1, widths[0], 2))
        x = self.gelu(self.branches(x, "stem.2", widths[0], 1))
        at = side // 4
        for i, (width, count) in enumerate(zip(widths, blocks)):
            if i:
                x, at = self.gelu(self.branches(x, f"stages.{i}.downsample.proj.0", 1, widths[i - 1], 2)), at // 2
                x = self.gelu(self.branches(x, f"stages.{i}.downsample.proj.1", width, 1))
            if i == 3:
                x = g.op("Add", x, self.conv(x, f"stages.{i}.pos_emb.pos_enc", width))
            for j in range(count):
                block = f"stages.{i}.blocks.{j}."
                if i < 3:
                    x = self.mixed(x, block, width)
                else:
                    x = g.op("Add", x, self.scaled(self.attention(self.norm(x, f"{block}norm"), block, width, at), f"{block}layer_scale_1"))
                    x = g.op("Add", x, self.scaled(self.perceptron(x, block, width), f"{block}layer_scale_2"))
        x = self.gelu(self.branches(x, "final_conv", 1, widths[-1]))
        x = g.op("Reshape", g.op("GlobalAveragePool", x), g.integers(1, -1))
        return g.model(image_input(side), g.linear(x, self.get("head.fc.weight"), self.get("head.fc.bias")), 16)


def test_one_convolution_a_block_computes_what_its_branches_do(state):
    image = np.random.default_rng(2).standard_normal((1, 3, 64, 64)).astype(np.float32)
    (wanted,) = runtime.session(_Trained(state).model(64, (8, 16, 32, 64), (1, 2, 1, 1))).run(None, {"image": image})
    ours = layout.named(state)
    (got,) = runtime.session(towers.image(ours, _OPTIONS, 64)).run(None, {"image": image})
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


def test_the_text_tower_is_not_causal_and_pools_at_the_end(state):
    ours = layout.named(state)
    assert layout.family(ours) is layout.MOBILECLIP and draft.lengths(ours) == [10]
    session = runtime.session(towers.text(ours, _OPTIONS))
    one, other = (session.run(None, {"input_ids": np.array([row], np.int64)})[0] for row in ([38, 5, 7, 39] + [0] * 6, [38, 5, 7, 39] + [3] * 6))
    assert not np.allclose(one, other, atol=1e-3), "what is behind the end is seen"
    causal = dict(ours)
    del causal["visual.stem.0.weight"]
    assert layout.family(causal) is layout.CLIP


def test_blocks_of_convolutions_in_a_text_tower_compute_what_their_branches_do(state):
    ours, state = layout.named(state), {name.removeprefix("text."): value for name, value in state.items()}
    assert layout.depth(ours, "transformer.resblocks.") == 4
    for i in (0, 3):
        trained = _Trained(state, f"transformer.resblocks.{i}.")
        x = trained.g.op("Reshape", trained.g.op("Transpose", "image", perm=[0, 2, 3, 1]), trained.g.integers(1, 16, 1, 12))
        wanted = trained.g.model(image_input(8), trained.mixed(x, "", 16), 192)
        g = Graph()
        x = g.op("Transpose", g.op("Reshape", g.op("Transpose", "image", perm=[0, 2, 3, 1]), g.integers(1, 16, 12)), perm=[0, 2, 1])
        x = g.op("Transpose", mci.mixed(g, x, ours, f"transformer.resblocks.{i}.", 12, "gelu"), perm=[0, 2, 1])
        image = {"image": np.random.default_rng(i).standard_normal((1, 3, 8, 8)).astype(np.float32)}
        got, wanted = (runtime.session(model).run(None, image)[0] for model in (g.model(image_input(8), x, 192), wanted))
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


def _as_apple(state):
    theirs = {}
    index = {0: 0, 1: 2, 2: 4, 3: 7}
    branches = [("conv_kxk", "rbr_conv"), ("conv_scale", "rbr_scale"), ("identity", "rbr_skip"), (".mlp.conv.", ".convffn.conv."), (".mlp.fc", ".convffn.fc"), (".gamma", "")]
    for name, value in state.items():
        for ours, other in branches:
            name = name.replace(ours, other)
        if not name.startswith(_AT):
            theirs[name] = value
            continue
        rest = name.removeprefix(_AT)
        if m := re.match(r"stages\.(\d)\.(downsample\.proj|pos_emb\.pos_enc|blocks)\.(.*)", rest):
            stage, part = int(m.group(1)), m.group(2)
            rest = {"downsample.proj": f"network.{index[stage] - (1 if stage < 3 else 2)}.proj.", "pos_emb.pos_enc": "network.6.pe.", "blocks": f"network.{index[stage]}."}[part] + m.group(3)
        for ours, other in (("stem.", "patch_embed."), ("final_conv", "conv_exp"), ("large_conv", "lkb_origin")):
            rest = rest.replace(ours, other)
        if rest.startswith("conv_exp.se."):
            rest = rest.replace("fc1", "reduce").replace("fc2", "expand")
        if rest == "head.fc.weight":
            rest, value = "head.proj", value.T
        if rest != "head.fc.bias":
            theirs[f"image_encoder.model.{rest}"] = value
    text = [("text.token_embedding", "text_encoder.embedding_layer"), ("text.positional_embedding", "text_encoder.positional_embedding.pos_embed.pos_embed"),
            ("text.text_projection", "text_encoder.projection_layer"), ("text.ln_final", "text_encoder.final_layer_norm"), ("text.transformer.resblocks", "text_encoder.transformer"),
            (".ln_1.", ".pre_norm_mha.0."), (".attn.in_proj_", ".pre_norm_mha.1.qkv_proj."), (".attn.", ".pre_norm_mha.1."), (".ln_2.", ".pre_norm_ffn.0."),
            (".mlp.c_fc.", ".pre_norm_ffn.1."), (".mlp.c_proj.", ".pre_norm_ffn.4.")]  # fmt: skip
    for ours, other in text:
        theirs = {name.replace(ours, other): value for name, value in theirs.items()}
    position = "text_encoder.positional_embedding.pos_embed.pos_embed"
    theirs[position] = theirs[position][None, None]
    return theirs


def test_apples_names_are_those_of_timm(state):
    state[f"{_AT}head.fc.bias"] = np.zeros(16, np.float32)
    wanted, got = layout.named(state), layout.named(_as_apple(state))
    del wanted["visual.head.fc.bias"]
    assert set(got) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_a_tower_that_was_folded_already_is_read(state):
    ours = layout.named(state)
    folded = {}
    for name, value in ours.items():
        if not name.startswith("visual."):
            folded[f"text.{name}" if not name.startswith("logit") else name] = value
            continue
        block, _, part = name.removeprefix("visual.").rpartition(".")
        one = re.fullmatch(r"stem\.\d|final_conv|stages\.\d\.(downsample\.proj\.\d|pos_emb|blocks\.\d\.token_mixer)", block)
        folded[f"{_AT}{block}.reparam_conv.{part}" if one else f"{_AT}{block}.{part}"] = value
    again = layout.named(folded)
    assert set(again) == set(ours)
    for name, value in ours.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)


def test_variants_that_are_not_read_are_refused_by_name(state):
    with pytest.raises(layout.UnknownLayout, match="S3 or S4"):
        layout.named(state | {f"{_AT}stages.4.blocks.0.token_mixer.proj.weight": np.zeros(1)})
    with pytest.raises(ValueError, match="multiples of 32"):
        towers.image(layout.named(state), _OPTIONS, 48)

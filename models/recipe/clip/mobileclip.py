"""MobileCLIP's tensors (Vasu et al., 2024): a FastViT tower, MCi0 to MCi2, as Apple or timm name it, and Apple's or open_clip's text tower, S0's
with a block of convolutions at either end.

A block was trained with several branches, of which one convolution is made here: `visual.NAME.weight` and `.bias`, batch norms folded. Names
are timm's with `visual.` before them.
"""

import re

import numpy as np

from .layout import State, UnknownLayout, renamed, require, without_prefix

_EPSILON = 1e-5  # of a batch norm
_APPLES_IMAGE = [
    (r"^image_encoder\.model\.", "visual.trunk."),
    (r"\.patch_embed\.", ".stem."),
    (r"\.rbr_conv\.", ".conv_kxk."),
    (r"\.rbr_scale\.", ".conv_scale."),
    (r"\.rbr_skip\.", ".identity."),
    (r"\.conv_exp\.", ".final_conv."),
    (r"\.lkb_origin\.", ".large_conv."),
    (r"\.lkb_reparam\.", ".reparam_conv."),
    (r"\.convffn\.", ".mlp."),
    (r"\.se\.reduce\.", ".se.fc1."),
    (r"\.se\.expand\.", ".se.fc2."),
    (r"\.se\.conv_reduce\.", ".se.fc1."),
    (r"\.se\.conv_expand\.", ".se.fc2."),
    (r"\.(layer_scale(?:_\d)?)$", r".\1.gamma"),
    (r"^visual\.trunk\.head\.proj$", "visual.trunk.head.fc.weight.T"),
]
_APPLES_TEXT = [
    (r"^text_encoder\.", ""),
    (r"^projection_layer$", "text_projection"),
    (r"^embedding_layer\.", "token_embedding."),
    (r"^positional_embedding\.pos_embed\.pos_embed$", "positional_embedding"),
    (r"^final_layer_norm\.", "ln_final."),
    (r"^transformer\.", "transformer.resblocks."),
    (r"\.pre_norm_mha\.0\.", ".ln_1."),
    (r"\.pre_norm_mha\.1\.qkv_proj\.", ".attn.in_proj_"),
    (r"\.pre_norm_mha\.1\.", ".attn."),
    (r"\.pre_norm_ffn\.0\.", ".ln_2."),
    (r"\.pre_norm_ffn\.1\.", ".mlp.c_fc."),
    (r"\.pre_norm_ffn\.4\.", ".mlp.c_proj."),
]
_OURS = ("visual.stem.2.weight", "visual.final_conv.weight", "visual.head.fc.weight", "token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection")


def is_in(state: State) -> bool:
    """Whether the image tower begins with a stem of MobileOne's blocks."""
    return any(re.match(r"(image_encoder\.model\.patch_embed|visual\.trunk\.stem)\.0\.(rbr_conv|conv_kxk|reparam_conv)\.", name) for name in state)


def named(state: State) -> State:
    if any(name.startswith("image_encoder.") for name in state):
        state = _staged(renamed(renamed(state, _APPLES_IMAGE), _APPLES_TEXT))
    state = without_prefix(state, "text.")
    if "visual.trunk.stages.4.blocks.0.token_mixer.proj.weight" in state:
        raise UnknownLayout("expected four stages (MCi0, MCi1, MCi2), got five: MobileCLIP2-S3 or S4; export it to ONNX and use `ocellus bundle pack`")
    tower = {name.removeprefix("visual.trunk."): value for name, value in state.items() if name.startswith("visual.trunk.")}
    text = _one_branch({name: value for name, value in state.items() if not name.startswith("visual.")})
    made = text | {f"visual.{name}": value for name, value in _one_branch(tower).items()}
    require(made, _OURS, "MobileCLIP's tensor")
    made["positional_embedding"] = made["positional_embedding"].reshape(-1, made["token_embedding.weight"].shape[1])
    return made


def _staged(state: State) -> State:
    """Apple's network is a list of stages and of what is between them; timm puts that to the stage behind it."""
    ends = sorted({int(m.group(1)) for name in state if (m := re.match(r"visual\.trunk\.network\.(\d+)\.proj\.", name))})
    made = {}
    for name, value in state.items():
        if m := re.match(r"visual\.trunk\.network\.(\d+)\.(.*)", name):
            index, rest = int(m.group(1)), m.group(2)
            stage = sum(end <= index for end in ends)
            if rest.startswith("proj."):
                rest = f"downsample.{rest}"
            elif rest.startswith(("pe.", "reparam_conv.")):
                rest = f"pos_emb.{rest.replace('pe.', 'pos_enc.', 1)}"
            else:
                rest = f"blocks.{rest}"
            name = f"visual.trunk.stages.{stage}.{rest}"
        made[name] = value
    return made


def _one_branch(tower: State) -> State:
    """The tower with one convolution `NAME.weight`, `NAME.bias` for each block of branches."""
    made, mixers = {}, {}
    blocks = sorted({m.group(1) for name in tower if (m := re.match(r"(.*?)\.(conv_kxk|conv_scale|identity|large_conv|small_conv|reparam_conv|pos_enc)\.", name))})
    for block in blocks:
        folded = _folded(tower, block)
        mixer, _, role = block.rpartition(".")
        if role in ("norm", "mixer") and mixer.endswith("token_mixer"):
            mixers.setdefault(mixer, {})[role] = folded
        else:
            made[f"{block}.weight"], made[f"{block}.bias"] = folded
    for mixer, parts in mixers.items():
        (weight, bias), (norm, shift) = parts["mixer"], parts["norm"]
        scale = tower[f"{mixer}.layer_scale.gamma"].reshape(-1) if f"{mixer}.layer_scale.gamma" in tower else np.ones(len(weight), np.float32)
        size = weight.shape[2:]
        made[f"{mixer}.weight"] = _identity(len(weight), 1, size) + scale[:, None, None, None] * (weight - _padded(norm, size))
        made[f"{mixer}.bias"] = scale * (bias - shift)
    inside = re.compile(r"\.(conv_kxk|conv_scale|identity|large_conv|small_conv|reparam_conv|pos_enc|num_batches_tracked)(\.|$)|token_mixer\.layer_scale\.")
    made |= {name: value for name, value in tower.items() if not inside.search(name)}
    return made


def _folded(tower: State, block: str) -> tuple[np.ndarray, np.ndarray]:
    """The sum of a block's branches as one convolution."""
    if f"{block}.reparam_conv.weight" in tower:
        return tower[f"{block}.reparam_conv.weight"], tower[f"{block}.reparam_conv.bias"]
    if f"{block}.pos_enc.weight" in tower:  # beside which its input goes on
        weight = tower[f"{block}.pos_enc.weight"]
        return weight + _identity(len(weight), 1, weight.shape[2:]), tower[f"{block}.pos_enc.bias"]
    convolutions = [name.removesuffix(".conv.weight") for name in tower if re.fullmatch(re.escape(block) + r"\.(conv_kxk\.\d+|conv_scale|large_conv|small_conv)\.conv\.weight", name)]
    branches = [_batch_norm(tower, f"{name}.bn", tower[f"{name}.conv.weight"]) for name in convolutions]
    if f"{block}.identity.weight" in tower:
        channels = len(tower[f"{block}.identity.weight"])
        fed = branches[0][0].shape[1] if branches else 1  # alone it stands in a mixer, of one channel a group
        branches.append(_batch_norm(tower, f"{block}.identity", _identity(channels, fed, (1, 1))))
    size = max(weight.shape[2:] for weight, _ in branches)
    return sum(_padded(weight, size) for weight, _ in branches), sum(bias for _, bias in branches)


def _batch_norm(tower: State, name: str, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = tower[f"{name}.weight"] / np.sqrt(tower[f"{name}.running_var"] + _EPSILON)
    return weight * scale[:, None, None, None], tower[f"{name}.bias"] - tower[f"{name}.running_mean"] * scale


def _identity(channels: int, fed: int, size: tuple[int, int]) -> np.ndarray:
    """The convolution `[channels, fed, *size]`, in groups of `fed` channels, that changes nothing."""
    weight = np.zeros((channels, fed, *size), np.float32)
    weight[np.arange(channels), np.arange(channels) % fed, size[0] // 2, size[1] // 2] = 1
    return weight


def _padded(weight: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    around = [((whole - part) // 2,) * 2 for whole, part in zip(size, weight.shape[2:])]
    return np.pad(weight, ((0, 0), (0, 0), *around))

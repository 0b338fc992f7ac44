"""The names of a checkpoint's tensors, made those of open_clip, and the sizes that they imply.

Read are open_clip's own layout with a vision transformer or a ModifiedResNet (OpenAI's, LAION's, DataComp's and MetaCLIP's releases have it),
TinyCLIP's, which puts it in two parts, and Hugging Face's `CLIPModel`. Refused by name: timm towers, which MobileCLIP and SigLIP have, and
text towers of other libraries.
"""

import re
from dataclasses import dataclass

import numpy as np

State = dict[str, np.ndarray]

_PREFIXES = ("module.", "_image_encoder.", "_text_encoder.", "_orig_mod.")
_HUGGING_FACE = [
    (r"^vision_model\.embeddings\.patch_embedding\.weight$", "visual.conv1.weight"),
    (r"^vision_model\.embeddings\.class_embedding$", "visual.class_embedding"),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"^vision_model\.pre_layrnorm\.", "visual.ln_pre."),
    (r"^vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"^visual_projection\.weight$", "visual.proj.T"),
    (r"^text_model\.embeddings\.token_embedding\.weight$", "token_embedding.weight"),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"^text_projection\.weight$", "text_projection.T"),
    (r"^vision_model\.encoder\.layers\.(\d+)\.", r"visual.transformer.resblocks.\1."),
    (r"^text_model\.encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1."),
]
_BLOCK = [("layer_norm1.", "ln_1."), ("layer_norm2.", "ln_2."), ("mlp.fc1.", "mlp.c_fc."), ("mlp.fc2.", "mlp.c_proj."), ("self_attn.out_proj.", "attn.out_proj.")]


class UnknownLayout(ValueError):
    """A checkpoint that the recipe does not know."""


def named(state: State) -> State:
    """The tensors by open_clip's names."""
    state = {_bare(name): value for name, value in state.items()}
    if any(name.startswith("vision_model.") for name in state):
        state = _of_hugging_face(state)
    if any(name.startswith(("visual.trunk.", "image_encoder.")) for name in state):
        raise UnknownLayout("expected an image tower of open_clip, got one of timm (MobileCLIP, SigLIP, ConvNeXt); export it to ONNX and use `ocellus bundle pack`")
    if "text.token_embedding.weight" in state:
        state = {name.removeprefix("text."): value for name, value in state.items()}
    for name in ("visual.conv1.weight", "visual.proj or visual.attnpool.c_proj.weight", "token_embedding.weight", "text_projection", "ln_final.weight"):
        if not any(one in state for one in name.split(" or ")):
            raise UnknownLayout(f"expected open_clip's tensor {name}, got none; its tensors begin with {sorted(state)[:3]}")
    return state


def _bare(name: str) -> str:
    while prefix := next((p for p in _PREFIXES if name.startswith(p)), None):
        name = name.removeprefix(prefix)
    return name


def _of_hugging_face(state: State) -> State:
    if not any(name.startswith("visual_projection") for name in state):
        raise UnknownLayout("expected Hugging Face's CLIPModel, got a model without visual_projection (SigLIP has none): its text tower is another")
    made: State = {}
    for name, value in state.items():
        for pattern, replacement in _HUGGING_FACE:
            name = re.sub(pattern, replacement, name)
        for theirs, ours in _BLOCK:
            name = name.replace(theirs, ours)
        if name.endswith(".T"):
            name, value = name.removesuffix(".T"), value.T
        made[name] = value
    for name in [n for n in made if n.endswith("self_attn.q_proj.weight")]:
        block = name.removesuffix("self_attn.q_proj.weight")
        for part in ("weight", "bias"):
            made[f"{block}attn.in_proj_{part}"] = np.concatenate([made.pop(f"{block}self_attn.{p}_proj.{part}") for p in "qkv"])
    return made


def depth(state: State, prefix: str) -> int:
    """How many blocks `prefix0.`, `prefix1.`, ... there are."""
    found = {int(m.group(1)) for name in state if (m := re.match(re.escape(prefix) + r"(\d+)\.", name))}
    return max(found) + 1 if found else 0


@dataclass(frozen=True)
class Options:
    """What a state dict does not say."""

    quick_gelu: bool = True  # OpenAI's weights; LAION's and most others have GELU
    image_head: int = 64  # width of an attention head
    text_head: int = 64

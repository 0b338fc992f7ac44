"""The names of a checkpoint's tensors, made those of open_clip, and what its kind of model fixes.

Read are open_clip's own layout with a vision transformer or a ModifiedResNet (OpenAI's, LAION's, DataComp's and MetaCLIP's releases have it),
TinyCLIP's, which puts it in two parts, and Hugging Face's `CLIPModel`; SigLIP as open_clip and as Hugging Face have it (`siglip`); MobileCLIP
with a FastViT tower as Apple and as open_clip have it (`mobileclip`). Everything else is refused by name.
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
    (r"^text_projection\.weight$", "text_projection.T"),
]
HUGGING_FACE_BLOCKS = [
    (r"^text_model\.embeddings\.token_embedding\.weight$", "token_embedding.weight"),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.", r"visual.transformer.resblocks.\1."),
    (r"^text_model\.encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1."),
    (r"\.layer_norm1\.", ".ln_1."),
    (r"\.layer_norm2\.", ".ln_2."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
]
_OPEN_CLIP = ("visual.conv1.weight", "visual.proj or visual.attnpool.c_proj.weight", "token_embedding.weight", "text_projection", "ln_final.weight")


class UnknownLayout(ValueError):
    """A checkpoint that the recipe does not know."""


@dataclass(frozen=True)
class Family:
    """What a kind of model fixes and its state dict does not hold."""

    name: str
    epsilon: float  # of LayerNormalization
    causal: bool  # whether a token of a text sees only those before it
    pools_at_end: bool  # the text tower looks at the end of the text; otherwise at the last place
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_fraction: float = 1.0
    squashes: bool = False  # trained on whole pictures squashed to a square, which a centre crop only comes near


CLIP = Family("clip", 1e-5, True, True, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SIGLIP = Family("siglip", 1e-6, False, False, (0.5,) * 3, (0.5,) * 3, squashes=True)
MOBILECLIP = Family("mobileclip", 1e-5, False, True, (0.0,) * 3, (1.0,) * 3)


@dataclass(frozen=True)
class Options:
    """What a state dict does not say."""

    activation: str = "quick-gelu"  # OpenAI's weights; LAION's and most others have gelu, SigLIP gelu-tanh
    image_head: int = 64  # width of an attention head
    text_head: int = 64


ACTIVATIONS = ("quick-gelu", "gelu", "gelu-tanh")


def family(state: State) -> Family:
    """Of tensors that `named` gave."""
    if "visual.map.probe" in state:
        return SIGLIP
    return MOBILECLIP if "visual.stem.0.weight" in state else CLIP


def named(state: State) -> State:
    """The tensors by open_clip's names."""
    from . import mobileclip, siglip

    state = {_bare(name): value for name, value in state.items()}
    for layout in (siglip, mobileclip):
        if layout.is_in(state):
            return layout.named(state)
    if any(name.startswith("vision_model.") for name in state):
        state = _of_hugging_face(state)
    if any(name.startswith(("visual.trunk.", "image_encoder.")) for name in state):
        raise UnknownLayout(
            "expected an image tower of open_clip, SigLIP's vision transformer or MobileCLIP's FastViT (S0, S1, S2), got another one of timm or of Apple"
            f" ({_first(state, ('visual.trunk.', 'image_encoder.'))}); export it to ONNX and use `ocellus bundle pack`"
        )
    if "text.token_embedding.weight" in state:
        state = without_prefix(state, "text.")
    require(state, _OPEN_CLIP, "open_clip's tensor")
    return state


def require(state: State, names, whose: str) -> None:
    """Refuses a state dict without each of `names`, of which several may stand for one."""
    for name in names:
        if not any(one in state for one in name.split(" or ")):
            raise UnknownLayout(f"expected {whose} {name}, got none; its tensors begin with {sorted(state)[:3]}")


def without_prefix(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): value for name, value in state.items()}


def renamed(state: State, patterns) -> State:
    """Every pattern, in turn, on every name; a name that ends with `.T` then is a tensor to be transposed."""
    made: State = {}
    for name, value in state.items():
        for pattern, replacement in patterns:
            name = re.sub(pattern, replacement, name)
        if name.endswith(".T"):
            name, value = name.removesuffix(".T"), value.T
        made[name] = value
    return made


def joined_projections(state: State, theirs: str = "self_attn", ours: str = "attn") -> State:
    """Queries', keys' and values' projections made one, as open_clip has them."""
    made = dict(state)
    for name in [n for n in made if n.endswith(f"{theirs}.q_proj.weight")]:
        block = name.removesuffix(f"{theirs}.q_proj.weight")
        for part in ("weight", "bias"):
            made[f"{block}{ours}.in_proj_{part}"] = np.concatenate([made.pop(f"{block}{theirs}.{p}_proj.{part}") for p in "qkv"])
    return made


def _bare(name: str) -> str:
    while prefix := next((p for p in _PREFIXES if name.startswith(p)), None):
        name = name.removeprefix(prefix)
    return name


def _first(state: State, prefixes: tuple[str, ...]) -> str:
    return next(name for name in sorted(state) if name.startswith(prefixes))


def _of_hugging_face(state: State) -> State:
    if not any(name.startswith("visual_projection") for name in state):
        raise UnknownLayout("expected Hugging Face's CLIPModel or SiglipModel, got a model without visual_projection and without SigLIP's head; save the whole model's state dict")
    return joined_projections(renamed(state, _HUGGING_FACE + HUGGING_FACE_BLOCKS))


def depth(state: State, prefix: str) -> int:
    """How many blocks `prefix0.`, `prefix1.`, ... there are."""
    found = {int(m.group(1)) for name in state if (m := re.match(re.escape(prefix) + r"(\d+)\.", name))}
    return max(found) + 1 if found else 0

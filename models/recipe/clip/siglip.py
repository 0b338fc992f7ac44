"""SigLIP's tensors by open_clip's names (Zhai et al., 2023): timm's vision transformer in open_clip's `CustomTextCLIP`, or Hugging Face's `SiglipModel`.

It has no class token: a learned probe attends to the cells, and a perceptron follows (`visual.map.`). Its logits have a bias.
"""

import numpy as np

from .layout import HUGGING_FACE_BLOCKS, State, UnknownLayout, joined_projections, renamed, require, without_prefix

_TIMM = [
    (r"^visual\.trunk\.patch_embed\.proj\.", "visual.conv1."),
    (r"^visual\.trunk\.pos_embed$", "visual.positional_embedding"),
    (r"^visual\.trunk\.norm\.", "visual.ln_post."),
    (r"^visual\.trunk\.attn_pool\.latent$", "visual.map.probe"),
    (r"^visual\.trunk\.attn_pool\.proj\.", "visual.map.attn.out_proj."),
    (r"^visual\.trunk\.attn_pool\.norm\.", "visual.map.ln."),
    (r"^visual\.trunk\.attn_pool\.", "visual.map."),
    (r"^visual\.trunk\.blocks\.(\d+)\.", r"visual.transformer.resblocks.\1."),
    (r"\.norm1\.", ".ln_1."),
    (r"\.norm2\.", ".ln_2."),
    (r"\.attn\.qkv\.", ".attn.in_proj_"),
    (r"(resblocks\.\d+)\.attn\.proj\.", r"\1.attn.out_proj."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"^text_projection\.weight$", "text_projection.T"),
    (r"^text_projection\.bias$", "text_projection_bias"),
]
_HUGGING_FACE = [
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual.conv1."),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"^vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"^vision_model\.head\.probe$", "visual.map.probe"),
    (r"^vision_model\.head\.attention\.", "visual.map.attn."),
    (r"^vision_model\.head\.layernorm\.", "visual.map.ln."),
    (r"^vision_model\.head\.", "visual.map."),
    (r"^text_model\.head\.weight$", "text_projection.T"),
    (r"^text_model\.head\.bias$", "text_projection_bias"),
]
_OURS = (
    *("visual.conv1.weight", "visual.positional_embedding", "visual.ln_post.weight", "visual.map.probe", "visual.map.attn.in_proj_weight"),
    *("visual.map.attn.out_proj.weight", "visual.map.ln.weight", "visual.map.mlp.c_fc.weight", "token_embedding.weight", "positional_embedding"),
    *("ln_final.weight", "text_projection", "text_projection_bias", "logit_scale", "logit_bias"),
)


def is_in(state: State) -> bool:
    return "vision_model.head.probe" in state or "visual.trunk.attn_pool.latent" in state


def named(state: State) -> State:
    if "vision_model.head.probe" in state:
        state = joined_projections(renamed(state, _HUGGING_FACE + HUGGING_FACE_BLOCKS))
    else:
        state = renamed(without_prefix(state, "text."), _TIMM)
        for part in ("weight", "bias"):
            queries, others = (state.pop(f"visual.map.{name}.{part}", None) for name in ("q", "kv"))
            if queries is not None and others is not None:
                state[f"visual.map.attn.in_proj_{part}"] = np.concatenate([queries, others])
    require(state, _OURS, "SigLIP's tensor")
    if state["visual.conv1.weight"].ndim != 4:
        raise UnknownLayout("expected a convolution that makes patches, got a product: NaFlex, which takes pictures of any shape; take the checkpoint of a fixed resolution")
    width = state["visual.conv1.weight"].shape[0]
    state["visual.positional_embedding"] = state["visual.positional_embedding"].reshape(-1, width)
    state["visual.map.probe"] = state["visual.map.probe"].reshape(width)
    return state

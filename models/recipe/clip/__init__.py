"""Makes a bundle of a CLIP-family checkpoint that the user has: towers to ONNX, static INT8 at every resolution, byte pairs, logit scale.

`python -m recipe clip` writes a draft, and `ocellus bundle pack` makes the checked bundle of it.
"""

"""What the recipe computes for the pictures that are committed in `tests/data/photos`: the runtime's pixel path is held to it.

Those are JPEG files, and decoders of JPEG differ by grey levels. So each is also kept small and lossless: there only preprocessing can differ.
"""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from . import metrics, pictures, runtime
from .head import Head
from .observe import Inputs
from .words import Table

PROMPTS = ["a cat", "a dog", "a cup of coffee", "a rocket", "a woman", "a red double-decker bus"]
_SHORT_SIDE = 256


def lossless(photographs: Path) -> dict[str, bytes]:
    """Each picture with a short side of 256 pixels as a lossless WebP file, by its name."""
    files = {}
    for file in sorted(photographs.glob("*.jpg")):
        picture, buffer = pictures.load(file), io.BytesIO()
        scale = _SHORT_SIDE / min(picture.size)
        picture.resize([round(scale * side) for side in picture.size], Image.Resampling.LANCZOS).save(buffer, "WEBP", lossless=True, quality=100, method=6)
        files[f"{file.stem}.webp"] = buffer.getvalue()
    return files


def embeddings(files: dict[str, bytes], encoder: onnxruntime.InferenceSession, head: Head) -> list[dict]:
    """Each picture's embedding by resolution."""
    seen = Inputs.of(Image.open(io.BytesIO(blob)) for blob in files.values()).features(encoder)
    embedded = {resolution: head.embed(features) for resolution, features in seen.items()}
    return [
        {"file": name, "resolutions": {str(r): {"embedding": _rounded(of[i])} for r, of in embedded.items()}}
        for i, name in enumerate(files)
    ]


def _rounded(embedding: np.ndarray) -> list[float]:
    return [round(float(x), 7) for x in embedding]


def render(photographs: Path, fp32: onnx.ModelProto, int8: onnx.ModelProto, head: Head, table: Table) -> bytes:
    """JSON: for each picture its entropy, and by resolution its embedding and its cosines with the prompts' embeddings.

    `features_cosine_fp32` tells how far INT8 moved the features of the very same pixels. `lossless` has the embeddings of `lossless`'s files.
    """
    files = sorted(photographs.glob("*.jpg"))
    seen = Inputs.of(pictures.load(file) for file in files)
    encoder = runtime.session(int8)
    quantized, exact = seen.features(encoder), seen.features(runtime.session(fp32))
    texts = table.encode(PROMPTS)
    photos = []
    for i, file in enumerate(files):
        by_resolution = {}
        for resolution in pictures.RESOLUTIONS:
            features = quantized[resolution][i : i + 1]
            embedding = head.embed(features)[0]
            by_resolution[str(resolution)] = {
                "embedding": _rounded(embedding),
                "cosines": [round(float(x), 6) for x in texts @ embedding],
                "features_cosine_fp32": round(float(metrics.row_cosines(features, exact[resolution][i : i + 1])[0]), 6),
            }
        photos.append({"file": file.name, "entropy_bits": round(float(seen.entropy_bits[i]), 4), "resolutions": by_resolution})
    made = {"prompts": PROMPTS, "photos": photos, "lossless": embeddings(lossless(photographs), encoder, head)}
    return (json.dumps(made, indent=1) + "\n").encode()

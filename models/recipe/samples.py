"""What the recipe computes for the pictures that are committed in `tests/data/photos`: the runtime's pixel path is held to it."""

import json
from pathlib import Path

import numpy as np
import onnx

from . import metrics, pictures, runtime
from .head import Head
from .observe import Inputs
from .words import Table

PROMPTS = ["a cat", "a dog", "a cup of coffee", "a rocket", "a woman", "a red double-decker bus"]


def render(photographs: Path, fp32: onnx.ModelProto, int8: onnx.ModelProto, head: Head, table: Table) -> bytes:
    """JSON: for each picture its entropy, and by resolution its embedding and its cosines with the prompts' embeddings.

    `features_cosine_fp32` tells how far INT8 moved the features of the very same pixels.
    """
    files = sorted(photographs.glob("*.jpg"))
    seen = Inputs.of(pictures.load(file) for file in files)
    quantized, exact = seen.features(runtime.session(int8)), seen.features(runtime.session(fp32))
    texts = table.encode(PROMPTS)
    photos = []
    for i, file in enumerate(files):
        by_resolution = {}
        for resolution in pictures.RESOLUTIONS:
            features = quantized[resolution][i : i + 1]
            embedding = head.embed(features)[0]
            by_resolution[str(resolution)] = {
                "embedding": [round(float(x), 7) for x in embedding],
                "cosines": [round(float(x), 6) for x in texts @ embedding],
                "features_cosine_fp32": round(float(metrics.row_cosines(features, exact[resolution][i : i + 1])[0]), 6),
            }
        photos.append({"file": file.name, "entropy_bits": round(float(seen.entropy_bits[i]), 4), "resolutions": by_resolution})
    return (json.dumps({"prompts": PROMPTS, "photos": photos}, indent=1) + "\n").encode()

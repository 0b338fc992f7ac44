"""The golden picture and vectors: what a board must be able to compute again."""

import io

import numpy as np
import onnx
from PIL import Image

from . import packages, pictures, runtime
from .head import Head
from .observe import Inputs
from .words import Table

PROMPTS = ["a cat", "a red double-decker bus", "coffee in a cup, on a table"]
_BOX = (110, 10, 366, 250)


def picture_png() -> bytes:
    """A 256 x 240 cut of scikit-image's `chelsea`, which is CC0."""
    source = packages.unpacked("scikit-image") / "skimage/data/chelsea.png"
    buffer = io.BytesIO()
    pictures.load(source).crop(_BOX).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def vectors(png: bytes, encoder: onnx.ModelProto, head: Head, table: Table) -> dict[str, np.ndarray]:
    """Embeddings of the golden picture at every resolution and of the prompts."""
    made = {"text": table.encode(PROMPTS)}
    seen = Inputs.of([Image.open(io.BytesIO(png)).convert("RGB")])
    for resolution, features in seen.features(runtime.session(encoder)).items():
        made[f"image.{resolution}"] = head.embed(features)[0]
    return made

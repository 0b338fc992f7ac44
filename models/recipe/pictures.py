"""From a picture file to the encoder's input: the reference of the runtime's own pixel path.

The centre square is `CROP_FRACTION` of the short side, in real (not rounded) coordinates, and is resampled in one step.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

RESOLUTIONS = (112, 160, 224)
CROP_FRACTION = 0.875
MEAN, STD = 127.0, 128.0
ENTROPY_SIDE = 160


def load(path: Path) -> Image.Image:
    """The upright RGB picture: EXIF orientation applied, transparency on white."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def centre_square(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the square the encoder sees of a picture of `size` (width, height)."""
    width, height = size
    side = CROP_FRACTION * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def prepare(picture: Image.Image, resolution: int) -> np.ndarray:
    """The encoder's input `[1, 3, resolution, resolution]`."""
    return view(picture, resolution, centre_square(picture.size))


def view(picture: Image.Image, resolution: int, box: tuple[float, float, float, float]) -> np.ndarray:
    """The same of what lies in `box`: left, top, right, bottom."""
    return normalized(picture.resize((resolution, resolution), Image.Resampling.BICUBIC, box=box))


def normalized(small: Image.Image) -> np.ndarray:
    """The pixels of a picture as the encoder takes them, `[1, 3, h, w]`."""
    pixels = (np.asarray(small, np.float32) - MEAN) / STD
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def entropy_bits(picture: Image.Image) -> float:
    """Shannon entropy of the luma histogram of the centre square, area-reduced to at most 160 a side."""
    box = centre_square(picture.size)
    side = max(1, min(ENTROPY_SIDE, round(box[2] - box[0])))
    rgb = np.asarray(picture.resize((side, side), Image.Resampling.BOX, box=box)).astype(np.uint32)
    luma = (77 * rgb[..., 0] + 150 * rgb[..., 1] + 29 * rgb[..., 2] + 128) >> 8
    share = np.bincount(luma.ravel(), minlength=256) / luma.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())

"""From a picture to a tower's input, by the numbers that the manifest carries."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Pixels:
    """`(u8 - mean) / std` of the centre square, `crop_fraction` of the short side. The default is OpenAI's."""

    mean: tuple[float, float, float] = (0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255)
    std: tuple[float, float, float] = (0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255)
    crop_fraction: float = 1.0

    def prepare(self, picture: Image.Image, side: int) -> np.ndarray:
        """`[1, 3, side, side]`."""
        square = self.crop_fraction * min(picture.size)
        left, top = (picture.size[0] - square) / 2, (picture.size[1] - square) / 2
        small = picture.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + square, top + square))
        values = (np.asarray(small, np.float32) - np.float32(self.mean)) / np.float32(self.std)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None].astype(np.float32))

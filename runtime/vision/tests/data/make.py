"""Makes the files of this folder. Run here with Pillow 13.0.0 and NumPy 2.4.6; resize.json depends on their arithmetic, the
pictures only need to be of their kind.

resize.json holds what Pillow's bicubic resize makes of a picture that both sides draw by the same integer formula."""

import json

import numpy as np
from PIL import Image


def triangle(n, period):
    """0..255 up and down again, in integers."""
    return np.abs(n % (2 * period) - period) * 255 // period


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    channels = [triangle(5 * x + 3 * y, 64), triangle(x * y // 4, 90), triangle(11 * x - 7 * y + 20 * height, 33)]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def resized(width, height, box, resolution):
    pixels = picture(width, height).resize((resolution, resolution), Image.BICUBIC, box=box)
    return {"width": width, "height": height, "box": box, "resolution": resolution, "pixels": pixels.tobytes().hex()}


def centre(width, height):
    side = 0.875 * min(width, height)
    return [(width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2]


cases = [
    resized(40, 30, centre(40, 30), 16),
    resized(40, 30, [0, 0, 40, 30], 16),
    resized(40, 30, [3.3, 2.7, 17.9, 21.2], 16),
    resized(40, 30, [0, 0, 30, 30], 30),
    resized(9, 7, centre(9, 7), 24),
    resized(400, 300, centre(400, 300), 64),
    resized(1300, 900, centre(1300, 900), 64),
    resized(1300, 900, [0, 0, 1300, 900], 64),
]
with open("resize.json", "w") as file:
    json.dump(cases, file, indent=0)
    file.write("\n")

small = picture(40, 30)
small.convert("CMYK").save("cmyk.jpg", quality=95)
small.convert("CMYK").save("cmyk.tif")
small.save("progressive.jpg", quality=95, progressive=True)
small.convert("L").save("grey.jpg", quality=95)
small.save("lossy.webp", quality=90)
frames = [small, small.transpose(Image.FLIP_LEFT_RIGHT)]
for name in ("animated.gif", "animated.webp", "animated.png"):
    frames[0].save(name, save_all=True, append_images=frames[1:], duration=100)

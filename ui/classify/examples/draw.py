"""Draws the three example pictures and the app's icon: `python ui/classify/examples/draw.py`.

They are drawings of this project's own, so that nothing fetched from elsewhere ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIDE, FINE = 640, 2  # drawn at twice the size, then scaled down, for smooth edges


def gradient(top: Sequence[int], bottom: Sequence[int], grain: float, seed: int) -> Image.Image:
    """A vertical gradient with a little grain, as a camera's sky has."""
    height = SIDE * FINE
    t = np.linspace(0, 1, height)[:, None, None]
    pixels = np.array(top) * (1 - t) + np.array(bottom) * t
    pixels = np.broadcast_to(pixels, (height, height, 3)).copy()
    pixels += np.random.default_rng(seed).normal(0, grain, (height, height, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def scaled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * FINE, y * FINE) for x, y in points]


def clouds(image: Image.Image, spots: Sequence[tuple[int, int, int]]) -> Image.Image:
    layer = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(layer)
    for x, y, r in spots:
        draw.ellipse(scaled([(x - 2 * r, y - r), (x + 2 * r, y + r)]), fill=150)
    layer = layer.filter(ImageFilter.GaussianBlur(22 * FINE))
    return Image.composite(Image.new("RGB", image.size, (250, 250, 252)), image, layer)


def draw_ship() -> Image.Image:
    image = clouds(
        gradient((120, 170, 215), (215, 230, 240), 3, 1), [(150, 120, 40), (480, 90, 50)]
    )
    sea = gradient((50, 100, 140), (15, 50, 85), 9, 2)
    image.paste(sea.crop((0, 0, SIDE * FINE, 260 * FINE)), (0, 380 * FINE))
    draw = ImageDraw.Draw(image)
    draw.polygon(scaled([(70, 330), (585, 320), (545, 425), (125, 425)]), fill=(40, 45, 60))
    draw.polygon(scaled([(112, 398), (556, 398), (545, 425), (125, 425)]), fill=(150, 40, 35))
    draw.rectangle(scaled([(170, 262), (455, 330)]), fill=(238, 238, 235))
    draw.rectangle(scaled([(205, 205), (390, 265)]), fill=(225, 226, 226))
    draw.polygon(scaled([(270, 130), (325, 130), (332, 207), (263, 207)]), fill=(195, 70, 45))
    draw.rectangle(scaled([(268, 130), (327, 148)]), fill=(35, 35, 40))
    draw.line(scaled([(500, 322), (500, 180)]), fill=(70, 70, 75), width=6 * FINE)
    for x in range(188, 440, 32):
        draw.rectangle(scaled([(x, 282), (x + 16, 302)]), fill=(60, 85, 110))
    for x in range(220, 380, 30):
        draw.rectangle(scaled([(x, 222), (x + 15, 240)]), fill=(60, 85, 110))
    draw.line(scaled([(95, 432), (560, 428)]), fill=(205, 222, 230), width=7 * FINE)
    return image


def draw_airplane() -> Image.Image:
    image = clouds(
        gradient((90, 150, 215), (190, 215, 238), 3, 3), [(140, 500, 50), (520, 540, 60)]
    )
    draw = ImageDraw.Draw(image)
    body, shade = (232, 235, 240), (150, 158, 172)
    draw.polygon(scaled([(330, 318), (450, 300), (590, 150), (545, 150)]), fill=shade)
    draw.polygon(scaled([(90, 345), (60, 215), (110, 215), (175, 335)]), fill=(60, 95, 160))
    draw.polygon(
        scaled([(75, 350), (150, 325), (480, 285), (560, 300), (590, 325), (560, 345), (470, 362), (150, 378)]),
        fill=body,
    )  # fmt: skip
    draw.polygon(
        scaled([(100, 362), (470, 340), (565, 342), (470, 364), (150, 379)]), fill=(190, 196, 206)
    )
    draw.polygon(scaled([(400, 345), (270, 350), (110, 520), (165, 520)]), fill=(195, 201, 211))
    draw.polygon(scaled([(140, 350), (75, 352), (30, 410), (62, 410)]), fill=shade)
    draw.ellipse(scaled([(238, 400), (305, 432)]), fill=(105, 112, 126))
    draw.polygon(scaled([(535, 298), (565, 306), (560, 318), (525, 314)]), fill=(45, 60, 85))
    for x in range(180, 510, 24):
        draw.ellipse(scaled([(x, 326 - x * 0.05), (x + 9, 338 - x * 0.05)]), fill=(70, 85, 110))
    return image


def draw_truck() -> Image.Image:
    image = gradient((175, 200, 222), (225, 230, 232), 3, 5)
    ground = gradient((120, 120, 122), (85, 85, 88), 9, 6)
    image.paste(ground.crop((0, 0, SIDE * FINE, 220 * FINE)), (0, 430 * FINE))
    draw = ImageDraw.Draw(image)
    draw.rectangle(scaled([(0, 395), (640, 434)]), fill=(105, 130, 85))
    draw.rectangle(scaled([(60, 165), (415, 440)]), fill=(236, 236, 232))
    draw.rectangle(scaled([(60, 405), (415, 440)]), fill=(196, 60, 45))
    draw.polygon(
        scaled([(422, 235), (525, 235), (572, 330), (585, 350), (585, 455), (422, 455)]),
        fill=(196, 60, 45),
    )
    draw.polygon(scaled([(445, 255), (517, 255), (552, 330), (445, 330)]), fill=(55, 75, 95))
    draw.rectangle(scaled([(60, 440), (585, 466)]), fill=(50, 50, 54))
    draw.rectangle(scaled([(560, 375), (588, 400)]), fill=(245, 225, 150))
    for x in (135, 215, 500):
        draw.ellipse(scaled([(x - 44, 422), (x + 44, 510)]), fill=(28, 28, 30))
        draw.ellipse(scaled([(x - 20, 446), (x + 20, 486)]), fill=(165, 168, 172))
    return image


def draw_icon() -> Image.Image:
    """Two blocks and the path around them, in the colour of ResNet v1."""
    image = Image.new("RGBA", (SIDE * FINE, SIDE * FINE), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(scaled([(10, 10), (630, 630)]), 130 * FINE, fill=(0, 114, 178, 255))
    draw.line(scaled([(215, 70), (215, 570)]), fill="white", width=34 * FINE)
    for y in (165, 360):
        draw.rounded_rectangle(scaled([(115, y), (315, y + 115)]), 24 * FINE, fill="white")
    draw.arc(scaled([(215 - 270, 105), (215 + 270, 540)]), -90, 90, fill="white", width=34 * FINE)
    return image


def main() -> None:
    for name, draw in (("ship", draw_ship), ("airplane", draw_airplane), ("truck", draw_truck)):
        picture = draw().resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        picture.save(HERE / f"{name}.jpg", quality=88)
    draw_icon().resize((512, 512), Image.Resampling.LANCZOS).save(
        HERE.parents[1] / "icon.png", optimize=True
    )


if __name__ == "__main__":
    main()

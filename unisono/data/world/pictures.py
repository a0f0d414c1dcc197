"""Drawing: scenes of coloured shapes, emoji, printed words and moving things, truth known.

Everything is drawn large and shrunk, which smooths the edges. Places and sizes are in units of 1/64 of a
side, origin at the top left; how many pixels a side has is set by `resolution`.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from unisono.core.errors import UserError

SIZE = 64  # units a side
OVER = 4  # pixels a unit of what is then shrunk
PIXELS: ContextVar[int] = ContextVar("pixels a side", default=SIZE)
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (45, 85, 220),
    "yellow": (245, 215, 50),
    "orange": (245, 140, 30),
    "purple": (150, 60, 190),
    "black": (30, 30, 30),
    "brown": (130, 80, 40),
}
RADII = {"small": 6.0, "big": 10.0}
BACKGROUNDS = ((255, 255, 255), (255, 255, 255), (244, 244, 238), (238, 243, 248))
EMOJI_FONTS = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/System/Library/Fonts/Apple Color Emoji.ttc",
)
EMOJI = {
    "cat": "\U0001f431",
    "dog": "\U0001f436",
    "mouse": "\U0001f42d",
    "rabbit": "\U0001f430",
    "fox": "\U0001f98a",
    "bear": "\U0001f43b",
    "panda": "\U0001f43c",
    "lion": "\U0001f981",
    "tiger": "\U0001f42f",
    "cow": "\U0001f42e",
    "pig": "\U0001f437",
    "frog": "\U0001f438",
    "monkey": "\U0001f435",
    "chicken": "\U0001f414",
    "penguin": "\U0001f427",
    "bird": "\U0001f426",
    "owl": "\U0001f989",
    "horse": "\U0001f434",
    "bee": "\U0001f41d",
    "butterfly": "\U0001f98b",
    "snail": "\U0001f40c",
    "turtle": "\U0001f422",
    "snake": "\U0001f40d",
    "fish": "\U0001f41f",
    "whale": "\U0001f433",
    "elephant": "\U0001f418",
    "apple": "\U0001f34e",
    "pear": "\U0001f350",
    "lemon": "\U0001f34b",
    "banana": "\U0001f34c",
    "cherry": "\U0001f352",
    "tomato": "\U0001f345",
    "carrot": "\U0001f955",
    "corn": "\U0001f33d",
    "mushroom": "\U0001f344",
    "bread": "\U0001f35e",
    "cheese": "\U0001f9c0",
    "pizza": "\U0001f355",
    "cake": "\U0001f370",
    "egg": "\U0001f95a",
    "car": "\U0001f697",
    "bus": "\U0001f68c",
    "train": "\U0001f686",
    "plane": "✈️",
    "rocket": "\U0001f680",
    "ship": "\U0001f6a2",
    "bicycle": "\U0001f6b2",
    "tractor": "\U0001f69c",
    "house": "\U0001f3e0",
    "tree": "\U0001f333",
    "flower": "\U0001f33b",
    "rose": "\U0001f339",
    "cactus": "\U0001f335",
    "sun": "☀️",
    "moon": "\U0001f319",
    "cloud": "☁️",
    "rainbow": "\U0001f308",
    "snowman": "⛄",
    "fire": "\U0001f525",
    "umbrella": "☂️",
    "book": "\U0001f4d5",
    "clock": "\U0001f570️",
    "key": "\U0001f511",
    "lamp": "\U0001f4a1",
    "phone": "\U0001f4f1",
    "camera": "\U0001f4f7",
    "guitar": "\U0001f3b8",
    "drum": "\U0001f941",
    "ball": "⚽",
    "balloon": "\U0001f388",
    "gift": "\U0001f381",
    "crown": "\U0001f451",
    "hat": "\U0001f3a9",
    "shoe": "\U0001f45f",
    "glasses": "\U0001f453",
    "cup": "☕",
    "hammer": "\U0001f528",
    "scissors": "✂️",
    "robot": "\U0001f916",
    "ghost": "\U0001f47b",
}


@contextlib.contextmanager
def resolution(pixels: int) -> Iterator[None]:
    """Within a `with` block, pictures are drawn with so many pixels a side, 64 otherwise."""
    token = PIXELS.set(pixels)
    try:
        yield
    finally:
        PIXELS.reset(token)


def shrunk(large: Image.Image) -> Image.Image:
    """The finished picture."""
    return large.resize((PIXELS.get(), PIXELS.get()), Image.Resampling.BOX)


@dataclass(frozen=True)
class Thing:
    """One shape of a scene: what it is and where its centre lies."""

    shape: str
    colour: str
    size: str
    x: float
    y: float


def _polygon(
    corners: list[tuple[float, float]],
) -> Callable[[ImageDraw.ImageDraw, float, float, float, tuple], None]:
    """Draws corners given in units of the radius."""

    def draw(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, fill: tuple) -> None:
        pen.polygon([(x + r * a, y + r * b) for a, b in corners], fill=fill)

    return draw


def _around(count: int, inner: float) -> list[tuple[float, float]]:
    """A star: `count` points at distance 1.1 and as many dents at `inner`, the first point upwards."""
    return [
        (
            (1.1 if n % 2 == 0 else inner) * sin(pi * n / count),
            -(1.1 if n % 2 == 0 else inner) * cos(pi * n / count),
        )
        for n in range(2 * count)
    ]


def _circle(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, fill: tuple) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _heart(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, fill: tuple) -> None:
    h = r * 0.54
    for side in (-1, 1):
        pen.ellipse(
            (x + side * h - h * 1.02, y - r * 0.85, x + side * h + h * 1.02, y - r * 0.85 + 2.04 * h),
            fill=fill,
        )
    pen.polygon([(x - 1.04 * r, y - r * 0.12), (x + 1.04 * r, y - r * 0.12), (x, y + r)], fill=fill)


SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, float, float, float, tuple], None]] = {
    "circle": _circle,
    "square": _polygon([(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]),
    "triangle": _polygon([(0, -1), (1.05, 0.85), (-1.05, 0.85)]),
    "star": _polygon(_around(5, 0.45)),
    "heart": _heart,
    "diamond": _polygon([(0, -1.1), (0.75, 0), (0, 1.1), (-0.75, 0)]),
    "cross": _polygon(
        [
            (-0.33, -1),
            (0.33, -1),
            (0.33, -0.33),
            (1, -0.33),
            (1, 0.33),
            (0.33, 0.33),
            (0.33, 1),
            (-0.33, 1),
            (-0.33, 0.33),
            (-1, 0.33),
            (-1, -0.33),
            (-0.33, -0.33),
        ]
    ),
}


def draw_things(things: list[Thing], background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """A picture of the things."""
    large = Image.new("RGB", (SIZE * OVER, SIZE * OVER), background)
    pen = ImageDraw.Draw(large)
    for thing in things:
        SHAPES[thing.shape](
            pen, thing.x * OVER, thing.y * OVER, RADII[thing.size] * OVER, COLOURS[thing.colour]
        )
    return shrunk(large)


@lru_cache(maxsize=1)
def emoji_font() -> ImageFont.FreeTypeFont:
    """The colour emoji font of this system."""
    for path in EMOJI_FONTS:
        if Path(path).exists():
            return ImageFont.truetype(path, 109)  # the size of its bitmaps
    raise UserError("no colour emoji font found; install the Debian package fonts-noto-color-emoji")


@lru_cache(maxsize=128)
def emoji(name: str) -> Image.Image:
    """The emoji as large as its font has it, RGBA, cropped."""
    canvas = Image.new("RGBA", (160, 160), (255, 255, 255, 0))
    ImageDraw.Draw(canvas).text((10, 10), EMOJI[name], font=emoji_font(), embedded_color=True)
    return canvas.crop(canvas.getbbox())


def draw_emoji(name: str, *, x: float = 32, y: float = 32, width: float = 48) -> Image.Image:
    """The emoji centred at (x, y), its longer side `width` units, on white."""
    figure, unit = emoji(name), PIXELS.get() / SIZE
    scale = width * unit / max(figure.size)
    figure = figure.resize(
        (max(1, round(figure.width * scale)), max(1, round(figure.height * scale))), Image.Resampling.LANCZOS
    )
    page = Image.new("RGB", (PIXELS.get(), PIXELS.get()), "white")
    page.paste(figure, (round(x * unit - figure.width / 2), round(y * unit - figure.height / 2)), figure)
    return page


@lru_cache(maxsize=64)
def _print_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def draw_word(word: str, rng: random.Random) -> Image.Image:
    """A printed word, dark on light, as large as 58 units of width and 30 of height allow."""
    size = 30 * OVER
    box = _print_font(size).getbbox(word)
    size = int(size * min(1.0, 58 * OVER / (box[2] - box[0])))
    font = _print_font(size)
    box = font.getbbox(word)
    paper, ink = rng.choice(
        [
            ((255, 255, 255), (20, 20, 20)),
            ((255, 255, 255), (20, 40, 140)),
            ((250, 245, 230), (30, 20, 20)),
            ((255, 255, 255), (150, 20, 20)),
        ]
    )
    page = Image.new("RGB", (SIZE * OVER, SIZE * OVER), paper)
    left = (SIZE * OVER - (box[2] - box[0])) / 2 + rng.uniform(-2, 2) * OVER - box[0]
    top = (SIZE * OVER - (box[3] - box[1])) / 2 + rng.uniform(-8, 8) * OVER - box[1]
    ImageDraw.Draw(page).text((left, top), word, font=font, fill=ink)
    return shrunk(page)


INKS = (((255, 255, 255), (20, 20, 20)), ((250, 245, 230), (30, 20, 20)), ((30, 34, 40), (240, 240, 235)))


def draw_print(lines: list[str], height: float, rng: random.Random) -> Image.Image:
    """Lines of small print in letters `height` units high, cut off where they are too long."""
    font, gap = _print_font(round(height * OVER)), round(1.5 * height * OVER)
    paper, ink = rng.choice(INKS)
    page = Image.new("RGB", (SIZE * OVER, SIZE * OVER), paper)
    left = rng.uniform(2, 8) * OVER
    top = rng.uniform(2, max(2.0, SIZE - 2 - len(lines) * 1.5 * height)) * OVER
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((left, top + number * gap), line, font=font, fill=ink)
    return shrunk(page)


MOTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "still": (0, 0)}


def draw_motion(
    draw: Callable[[float, float], Image.Image], motion: str, num_frames: int, rng: random.Random
) -> list[Image.Image]:
    """`draw(x, y)` at places that move one way by 6 to 8 units a frame."""
    dx, dy = MOTIONS[motion]
    step = rng.uniform(6, 8)
    reach = step * (num_frames - 1) / 2
    x0, y0 = 32 + (0 if dx else rng.uniform(-8, 8)), 32 + (0 if dy else rng.uniform(-8, 8))
    return [draw(x0 + dx * (step * n - reach), y0 + dy * (step * n - reach)) for n in range(num_frames)]

"""Render printed letters as 8x8 pictures, prepared as the UCI handwritten digits were.

Source of the preparation: Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten
Digits", UCI: a character is normalised to a 32x32 bitmap, the bitmap is cut into 4x4 blocks, and
the ink pixels of every block are counted (0..16). The normalisation follows NISTIR 5469 (Garris
et al., 1994): the full height of the bitmap, at most about 20 columns wide, centred.

The letters come from the fonts that Matplotlib installs, so nothing is downloaded. No digit is
ever rendered: a backbone trained on these pictures has seen none of the ten digit classes.
"""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from graft.errors import GraftError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abdefghnqrt"
"""The 37 letter shapes, in label order: upper case, and the lower case letters that differ from
their upper case in shape and not only in size (the merged classes of EMNIST, Cohen et al. 2017).
"""

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("b", "mi", "r", "ss", "ti", "tt")),
)
"""The 22 of Matplotlib's fonts that draw every letter of `LETTERS`. The others hold symbols only
(STIXSiz..., cmex10, ...), calligraphic capitals only (cmsy10), or boxes (LastResort).
"""

PICTURE_SIZE = 8
_BITMAP_SIZE = 32
_CANVAS_SIZE = 96
_FONT_SIZE = 48
_INK_TABLE = [0] * 128 + [255] * 128


def render_letters(
    count_per_letter: int, seed: int, fonts: tuple[str, ...] = FONTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw every letter `count_per_letter` times, each time in a random font and distortion.

    Args:
        count_per_letter: pictures of each letter, at least 1.
        seed: the same seed gives the same pictures, bit for bit.
        fonts: names out of `FONTS`, drawn from with equal chance.

    Returns:
        images: uint8 (N, 8, 8), ink is bright: the block count 0..16 times 255 / 16.
        labels: int64 (N,), positions in `LETTERS`, in ascending order.
        font_names: str (N,), the font of each picture.

    Raises:
        GraftError: the count is below 1, or a font is not one of `FONTS`.
    """
    _check_request(count_per_letter, fonts)
    labels = np.repeat(np.arange(len(LETTERS)), count_per_letter)
    # A generator a letter: a change to the list of letters leaves the other pictures as they are.
    generators = [np.random.default_rng([seed, ord(letter)]) for letter in LETTERS]
    font_names = np.array([fonts[generators[label].integers(len(fonts))] for label in labels])
    images = np.stack(
        [
            _render_letter(LETTERS[label], font_name, generators[label])
            for label, font_name in zip(labels, font_names, strict=True)
        ]
    )
    return images, labels, font_names


def count_ink(bitmap: np.ndarray) -> np.ndarray:
    """Count the ink of every 4x4 block of a bool (32, 32) bitmap: uint8 (8, 8), 0..255."""
    block = _BITMAP_SIZE // PICTURE_SIZE
    counts = bitmap.reshape(PICTURE_SIZE, block, PICTURE_SIZE, block).sum(axis=(1, 3))
    return np.round(counts * (255 / block**2)).astype(np.uint8)


def _check_request(count_per_letter: int, fonts: tuple[str, ...]) -> None:
    if count_per_letter < 1:
        raise GraftError(
            "The number of pictures a letter must be at least 1. Raise `count_per_letter`. "
            f"Received: {count_per_letter}"
        )
    unknown = [font for font in fonts if font not in FONTS]
    if unknown or not fonts:
        raise GraftError(
            f"Letters are drawn in one or more of the fonts {', '.join(FONTS)}. Name fonts of "
            f"this list only. Received: {', '.join(unknown) or 'no font'}"
        )


def _render_letter(letter: str, font_name: str, rng: np.random.Generator) -> np.ndarray:
    glyph = _draw_glyph(letter, font_name, stroke_width=float(rng.uniform(0.0, 2.5)))
    return count_ink(_normalise_bitmap(_distort(glyph, rng), rng))


def _draw_glyph(letter: str, font_name: str, stroke_width: float) -> Image.Image:
    """Draw one letter, bright on black, in the middle of a canvas with room for distortion."""
    canvas = Image.new("L", (_CANVAS_SIZE, _CANVAS_SIZE))
    middle = (_CANVAS_SIZE / 2, _CANVAS_SIZE / 2)
    ImageDraw.Draw(canvas).text(
        middle, letter, 255, _load_font(font_name), anchor="mm", stroke_width=stroke_width
    )
    return canvas


@cache
def _load_font(font_name: str) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font_name}.ttf")
    # The basic layout is part of every Pillow; the other one depends on a system library.
    return ImageFont.truetype(path, _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)


def _distort(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Slant, turn, bend and shake a letter by moving the corners of a 4x4 mesh."""
    cells = 4
    ticks = np.linspace(-1, 1, cells + 1)
    y, x = np.meshgrid(ticks, ticks, indexing="ij")
    slant, bend_x, bend_y = rng.normal(0, [0.25, 0.12, 0.12])
    turn = rng.normal(0, 0.12)
    stretch_top, stretch_left = rng.normal(0, 0.2, size=2)
    shaken_x, shaken_y = rng.normal(0, 0.045, size=(2, cells + 1, cells + 1))
    source_x = x * np.cos(turn) - y * np.sin(turn) + slant * y + bend_x * y**2
    source_y = x * np.sin(turn) + y * np.cos(turn) + bend_y * x**2
    source_x = source_x * (1 + stretch_top * y) + shaken_x
    source_y = source_y * (1 + stretch_left * x) + shaken_y
    return _apply_mesh(glyph, (source_x + 1) * _CANVAS_SIZE / 2, (source_y + 1) * _CANVAS_SIZE / 2)


def _apply_mesh(picture: Image.Image, source_x: np.ndarray, source_y: np.ndarray) -> Image.Image:
    """Fill every cell of a regular mesh from the quadrilateral between its source corners."""
    cells = source_x.shape[0] - 1
    side = _CANVAS_SIZE // cells
    mesh = []
    for row in range(cells):
        for column in range(cells):
            box = (column * side, row * side, (column + 1) * side, (row + 1) * side)
            # Pillow's order of corners: north-west, south-west, south-east, north-east.
            corners = [(row, column), (row + 1, column), (row + 1, column + 1), (row, column + 1)]
            quad = [float(axis[corner]) for corner in corners for axis in (source_x, source_y)]
            mesh.append((box, quad))
    size = (_CANVAS_SIZE, _CANVAS_SIZE)
    return picture.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _normalise_bitmap(picture: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Fit the ink to the full height and at most ~20 columns of a bool (32, 32) bitmap."""
    ink = picture.crop(picture.point(_INK_TABLE).getbbox())
    widest = int(rng.integers(17, 26))
    width = int(ink.width * _BITMAP_SIZE / ink.height * rng.uniform(0.75, 1.15))
    fitted = ink.resize((min(max(width, 3), widest), _BITMAP_SIZE), Image.Resampling.BOX)
    bitmap = Image.new("L", (_BITMAP_SIZE, _BITMAP_SIZE))
    bitmap.paste(fitted, ((_BITMAP_SIZE - fitted.width) // 2, 0))
    return np.asarray(bitmap) >= rng.uniform(0.35, 0.65) * 255

"""Render printed letters as 8x8 pictures, prepared as the UCI handwritten digits were.

Source of the preparation: Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten
Digits", UCI: a character is normalised to a 32x32 bitmap, and the ink pixels of every 4x4 block
are counted (0..16). The normalisation follows NISTIR 5469 (Garris et al., 1994): the full height
of the bitmap, at most about 20 columns wide, centred.

A letter is drawn once a font and kept as a signed distance field (Green, 2007): the distance to
the nearest edge, above 0 in the ink. Bent copies of the field are cut off at different heights,
as if written with pens of different widths. The fonts are Matplotlib's: nothing is downloaded.

No digit is ever rendered: a backbone trained on these pictures has seen none of the ten classes.
"""

from functools import cache, partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt, map_coordinates

from graft.errors import GraftError

ALPHABETS = {
    "Latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt",
    "Greek": "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπσω",
    "Cyrillic": "БДЖИЛУЦШЪЫЭЮЯвд",
    "Armenian": "ԱԲԳԴԵԶԷԸԹԺԻԽԾԿՀՁՂՃՄՆՇՈՉՊՋՌՎՐՑՒՔ",
    "Georgian": "აბგდეზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
}
"""Letters of different shapes. Lower case Latin is what differs from upper case in shape and not
only in size (the merged classes of EMNIST, Cohen et al. 2017). Most letters that look like one of
an earlier alphabet are left out, and so are some that are printed almost like a digit: З, Ч, б, Յ
and ვ. Others that resemble one, as O, I, S, Z, q and Ձ do, are there.
"""

LETTERS = "".join(ALPHABETS.values())
"""The 161 letters of all alphabets, in label order."""

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("b", "mi", "r", "ss", "ti", "tt")),
)
"""Those of Matplotlib's fonts that draw every Latin letter; DejaVu Sans draws all alphabets."""

PICTURE_SIZE = 8
_BITMAP_SIZE = 32
_FONT_SIZE = 40
_CANVAS_SIZE = 64
_GRID_SIZE = 56
_GRID_REACH = 1.35  # of the sampled square, in halves of the letter's own box


def render_letters(
    count_per_letter: int, seed: int, fonts: tuple[str, ...] = FONTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw every letter `count_per_letter` times, each time in a random font and distortion.

    Args:
        count_per_letter: pictures of each letter, at least 1.
        seed: the same seed gives the same pictures, bit for bit.
        fonts: names out of `FONTS`, of equal chance. A letter in none of them is left out.

    Returns:
        images: uint8 (N, 8, 8), ink is bright: the block count 0..16 times 255 / 16.
        labels: int64 (N,), positions in `LETTERS`, in ascending order.
        font_names: str (N,), the font of each picture.

    Raises:
        GraftError: the count is below 1, or a font is not one of `FONTS`.
    """
    _check_request(count_per_letter, fonts)
    images, labels, font_names = [], [], []
    for label, letter in enumerate(LETTERS):
        own_fonts = [font for font in fonts if ord(letter) in _load_font(font)[1]]
        if not own_fonts:
            continue
        # A generator a letter: a change to the alphabets leaves the other pictures as they are.
        rng = np.random.default_rng([seed, ord(letter)])
        font_names.append(np.array(own_fonts)[rng.integers(len(own_fonts), size=count_per_letter)])
        drawn, which = np.unique(font_names[-1], return_inverse=True)
        fields, sizes = zip(*(_draw_field(letter, font) for font in drawn), strict=True)
        bitmaps = _distort(np.stack(fields)[which], np.stack(sizes)[which], rng)
        images.append(count_ink(bitmaps))
        labels.append(np.full(count_per_letter, label))
    return np.concatenate(images), np.concatenate(labels), np.concatenate(font_names)


def count_ink(bitmaps: np.ndarray) -> np.ndarray:
    """Count the ink of every 4x4 block of bool (N, 32, 32) bitmaps: uint8 (N, 8, 8), 0..255."""
    block = _BITMAP_SIZE // PICTURE_SIZE
    counts = bitmaps.reshape(-1, PICTURE_SIZE, block, PICTURE_SIZE, block).sum(axis=(2, 4))
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


@cache
def _load_font(font_name: str) -> tuple[ImageFont.FreeTypeFont, frozenset[int]]:
    """A font, and the code points of the characters that it has."""
    path = str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font_name}.ttf"))
    # The basic layout is part of every Pillow; the other one depends on a system library.
    font = ImageFont.truetype(path, 2 * _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    return font, frozenset(FT2Font(path).get_charmap())


def _draw_field(letter: str, font_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw one letter in the middle of a canvas, at twice the size, and measure it.

    Returns:
        The field, float32 (64, 64) in pixels; width and height of the letter, float32 (2,).
    """
    font, _ = _load_font(font_name)
    left, top, right, bottom = font.getbbox(letter)
    corner = (_CANVAS_SIZE - (left + right) / 2, _CANVAS_SIZE - (top + bottom) / 2)
    canvas = Image.new("L", (2 * _CANVAS_SIZE, 2 * _CANVAS_SIZE))
    ImageDraw.Draw(canvas).text(corner, letter, 255, font)
    ink = np.asarray(canvas) >= 128
    distance = (distance_transform_edt(ink) - distance_transform_edt(~ink)) / 2
    field = distance.reshape(_CANVAS_SIZE, 2, _CANVAS_SIZE, 2).mean(axis=(1, 3))
    return field.astype(np.float32), np.array([right - left, bottom - top], np.float32) / 2


def _distort(fields: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bend letters and write them with pens of any width: bool (n, 32, 32) bitmaps."""
    x, y = _warp_grid(len(fields), rng)
    width, height = sizes.T[..., np.newaxis, np.newaxis]
    middle = _CANVAS_SIZE / 2
    warped = _sample(fields, middle + x * width / 2, middle + y * height / 2)
    warped += rng.uniform(0.2, 2.4, size=(len(fields), 1, 1)).astype(np.float32)
    return _normalise(warped, sizes[:, 0] / sizes[:, 1], rng)


def _warp_grid(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where a regular grid looks into the letter: x, y (count, 56, 56); its box is -1..1.

    A letter slants, bends, tapers and has parts that grow or shrink; on top of that, the slowest
    waves of a cosine transform shake every stroke on its own.
    """
    ticks = np.linspace(-_GRID_REACH, _GRID_REACH, _GRID_SIZE, dtype=np.float32)
    y, x = np.meshgrid(ticks, ticks, indexing="ij")
    waves = np.cos(np.pi * np.outer(np.arange(_GRID_SIZE) + 0.5, np.arange(1, 5)) / _GRID_SIZE)
    strength = rng.uniform(0.3, 1.5, size=(count, 1, 1))
    warped = []
    for own, other in ((x, y), (y, x)):
        terms = np.stack([other, other**2 - 0.5, own * other, own**2 - 0.5])
        bent = np.tensordot(rng.normal(0, [0.18, 0.1, 0.13, 0.1], size=(count, 4)), terms, axes=1)
        shaken = waves @ (strength * rng.normal(0, 0.02, size=(count, 4, 4))) @ waves.T
        warped.append((own + bent + shaken).astype(np.float32))
    return warped[0], warped[1]


def _sample(fields: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Read fields (n, H, W) at pixel positions (n, h, w): bilinear, clipped at the edge."""
    # One call for all would interpolate between letters too, at twice the price.
    read = partial(map_coordinates, output=np.float32, order=1, mode="nearest")
    return np.stack([read(field, place) for field, *place in zip(fields, y, x, strict=True)])


def _normalise(fields: np.ndarray, aspects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fit the ink of (n, 56, 56) fields to the full height and ~20 columns: bool (n, 32, 32).

    The grid is square whatever the letter is; `aspects` (n,) are widths of its boxes / heights.
    """
    top, bottom = _find_extent(np.any(fields > 0, axis=2))
    left, right = _find_extent(np.any(fields > 0, axis=1))
    widths = _BITMAP_SIZE * aspects * (right - left) / (bottom - top)
    widths *= rng.uniform(0.7, 1.2, size=len(fields))
    widths = np.clip(widths, 3, rng.integers(15, 27, size=len(fields)))[:, np.newaxis]
    ticks = (np.arange(_BITMAP_SIZE) + 0.5) / _BITMAP_SIZE
    across = (ticks - 0.5) * _BITMAP_SIZE / widths
    x = (left + right)[:, np.newaxis] / 2 + across * (right - left)[:, np.newaxis]
    y = top[:, np.newaxis] + ticks * (bottom - top)[:, np.newaxis]
    fitted = _sample(fields, *np.broadcast_arrays(x[:, np.newaxis, :], y[:, :, np.newaxis]))
    return (fitted > 0) & (np.abs(across) <= 0.5)[:, np.newaxis, :]


def _find_extent(is_inked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last edge of the ink along the second axis of bool (n, length)."""
    last = is_inked.shape[1] - is_inked[:, ::-1].argmax(axis=1)
    return is_inked.argmax(axis=1) - 0.5, last - 0.5

"""`check_images` on 20,000 damaged pictures: what becomes of them.

Whole pictures of many formats, of 80×60 pixels, are flipped, cut, spliced and given extreme
numbers in their headers, each in its own way. Prints how many files ended how.

Usage: python benchmarks/hostile.py [COUNT]
"""

from __future__ import annotations

import io
import json
import random
import sys
import time

import numpy as np
from PIL import Image

from graft.images.checking import OK, QUARANTINED
from graft.pipelines.ingestion.nodes import check_images
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.sources.source import ImageSource, Record, make_records

PARAMETERS = IngestionParameters(
    min_side=4,
    max_pixels=80_000_000,
    seconds_per_picture=20.0,
    memory_mb=1536,
    near_duplicate_radius=None,
    label_conflicts="keep",
    workers=None,
)
FORMATS = ("jpeg", "png", "ppm", "gif", "tiff", "webp", "bmp", "ico", "jpeg2000", "tga", "avif")
EXTREMES = (bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80")


def draw() -> Image.Image:
    """Smooth shapes under some noise, as in a photograph."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC))
    noise = generator.integers(0, 20, smooth.shape, dtype=np.uint8)
    return Image.fromarray(smooth // 2 + noise)


def make_whole() -> list[bytes]:
    """A file a format, and some of several frames and with EXIF data."""
    picture, exif = draw(), Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}
    wishes: list[tuple[str, dict]] = [(file_format, {}) for file_format in FORMATS]
    wishes += [(file_format, frames) for file_format in ("gif", "tiff", "webp", "png")]
    wishes += [(file_format, {"exif": exif}) for file_format in ("jpeg", "png", "webp")]
    wishes += [("jpeg", {"progressive": True}), ("tiff", {"compression": "tiff_lzw"})]
    files = []
    for file_format, options in wishes:
        buffer = io.BytesIO()
        picture.save(buffer, file_format, **options)
        files.append(buffer.getvalue())
    return files


def mutate(whole: list[bytes], number: int) -> bytes:
    """The damaged file of this number, always the same."""
    generator = random.Random(number)
    data = bytearray(generator.choice(whole))
    for _ in range(generator.randint(1, 6)):
        place = generator.randrange(len(data) + 1)
        kind = generator.randrange(5)
        if kind == 0:
            data[place : place + 1] = bytes([generator.randrange(256)])
        elif kind == 1:
            del data[place : place + generator.randint(1, 60)]
        elif kind == 2:
            data[place:place] = generator.randbytes(generator.randint(1, 8))
        elif kind == 3:
            other = generator.choice(whole)
            data[place:] = other[generator.randrange(len(other)) :]
        else:
            place = generator.randrange(120)
            data[place : place + 4] = generator.choice(EXTREMES)
    return bytes(data)


def main() -> None:
    """Check them all and print the counts as JSON."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    whole = make_whole()
    names = [f"{number}.bin" for number in range(count)]
    source = ImageSource(
        make_records(map(Record, names)), lambda name: mutate(whole, int(name.partition(".")[0]))
    )
    started = time.perf_counter()
    checked = check_images(source, None, PARAMETERS)
    seconds = time.perf_counter() - started
    reasons = checked.loc[checked["status"] == QUARANTINED, "reason"]
    result = {
        "files": len(checked),
        "usable": int((checked["status"] == OK).sum()),
        "quarantined": len(reasons),
        "without_a_reason": int((reasons == "").sum()),
        "crashed": int(reasons.str.contains("its decoder").sum()),
        "too_slow": int(reasons.str.contains("takes longer").sum()),
        "too_large": int(reasons.str.contains("takes more memory").sum()),
        "seconds": round(seconds, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

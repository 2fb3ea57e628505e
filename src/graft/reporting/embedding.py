"""Figures and pictures as files, and inside pages that need no other file."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)
_PNG_START = b"\x89PNG"
# Pixels of a page to a point of a figure: its text is about as large as the page's.
_PIXELS_A_POINT = 5 / 3
_THUMBNAIL_SIDE = 160


def encode_figure(figure: Figure, kind: str = "svg") -> bytes:
    """A figure as the bytes of a file, the same every time.

    Args:
        figure: The figure.
        kind: ``svg``, in which text stays text, or another format of Matplotlib's, ``png`` say.
    """
    buffer = io.BytesIO()
    # Text stays text, which a browser writes in its own fonts; ids are the same every time.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "graft"}):
        if kind == "svg":
            _draw_svg(figure, buffer)
        else:
            figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def _draw_svg(figure: Figure, buffer: io.BytesIO) -> None:
    """Write a drawing, once: `savefig` draws a figure with a layout in vain before, or twice."""
    canvas, engine, dpi = FigureCanvasSVG(figure), figure.get_layout_engine(), figure.dpi
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
        figure.dpi = dpi  # it measures as points
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    figure.dpi = dpi


def embed_figure(content: bytes, alt: str, photographs: bool = False) -> Markup:
    """A figure as an element of a page: its text can be found, copied, and read in any writing.

    Args:
        content: An SVG of :func:`encode_figure`, or a PNG.
        alt: What it shows, for those who do not see it.
        photographs: Whether it is made of photographs, which are an eighth of the size as JPEGs.
    """
    if content.startswith(_PNG_START):
        return Markup('<img src="{}" alt="{}">').format(embed_png(content), alt)
    drawing = ElementTree.fromstring(content)
    for useless in ("metadata", "defs[style]"):
        # The style would be one of the whole page, which has it for all figures.
        for element in drawing.findall(useless, {"": _SVG}):
            drawing.remove(element)
    _settle_ids(drawing, prefix=f"f{hashlib.sha256(content).hexdigest()[:8]}-")
    for element in drawing.iter():
        if style := element.get("style"):
            # Which fonts there are is known where the page is read.
            element.set("style", re.sub(r"font-family: [^;]+;? ?", "", style))
        if photographs and element.tag == f"{{{_SVG}}}image":
            _store_as_jpeg(element)
    width = float(drawing.get("viewBox", "").split()[2])
    drawing.attrib.pop("height")
    drawing.set("width", f"{_PIXELS_A_POINT * width:.0f}")
    drawing.set("role", "img")
    drawing.set("aria-label", alt)
    # The parser has undone no escaping that the writer does not do again.
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _settle_ids(drawing: ElementTree.Element, prefix: str) -> None:
    """Keep the ids that are referred to, and make them differ from those of other drawings."""
    reference = re.compile(r"(?:^|url\()#([^)]+)")
    used = {
        name
        for element in drawing.iter()
        for value in element.attrib.values()
        for name in reference.findall(value)
    }
    for element in drawing.iter():
        if (own := element.attrib.pop("id", None)) in used:
            element.set("id", f"{prefix}{own}")
        for key, value in element.attrib.items():
            if reference.search(value):
                element.set(key, value.replace("#", f"#{prefix}"))


def _store_as_jpeg(image: ElementTree.Element) -> None:
    key = f"{{{_XLINK}}}href"
    content = base64.b64decode(image.get(key, "").partition(",")[2])
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    on_white.convert("RGB").save(buffer, "jpeg", quality=82)
    image.set(key, f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}")


def embed_png(content: bytes) -> str:
    """A PNG file as an address that needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def embed_thumbnail(pixels: np.ndarray) -> str:
    """A picture (H, W, 3) uint8, at most 160 pixels wide, as an address."""
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    if max(picture.size) > _THUMBNAIL_SIDE:
        picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        picture.save(buffer, "jpeg", quality=85)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    picture.save(buffer, "png")
    return embed_png(buffer.getvalue())

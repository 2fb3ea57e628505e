"""The report: one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from graft.figures.answers import answer_questions

_THUMBNAIL_SIDE = 160
METRIC_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss (lower is better)",
}

MODEL_TITLES = {
    "frozen": "Frozen backbone with a trained head",
    "fine_tuned": "Fine-tuned: the last blocks were trained too",
    "from_scratch": "A network trained from scratch",
}


@dataclass(frozen=True)
class ReportContent:
    """All that the report shows.

    Attributes:
        metrics: Split to ``n`` and figures with ``value``, ``low``, ``high``.
        class_metrics: A row a class: ``class``, ``precision``, ``recall``, ``f1``, ``support``.
        splits: Columns ``label`` and ``split``.
        split_check: What the gate found: ``pairs``, ``set_aside``, ``moved``.
        split_summary: Columns ``label``, ``split``, ``deviation`` (percentage points).
        flattery: How a random split compares: ``clusters``, ``together``, ``measured``.
        wrong_count: Number of wrong pictures of test.
        quarantined: Columns ``image_id`` and ``reason``.
        file_count: Files found in the source.
        backbone: The backbone and its weights, in words.
        image_size: Side of the pictures that the network sees, in pixels.
        confidence: Coverage of the intervals.
        check: Outcome of the comparison with the saved classifier.
        figures: Name to PNG bytes.
        model: The model that the details are about.
        models: Every model to its metrics; splits and figures as in ``metrics``.
        sections: What the partial templates of the same names show.
    """

    metrics: Mapping[str, Mapping[str, Any]]
    class_metrics: pd.DataFrame
    splits: pd.DataFrame
    split_check: Mapping[str, Any]
    split_summary: pd.DataFrame
    flattery: Mapping[str, Any]
    wrong_count: int
    quarantined: pd.DataFrame
    file_count: int
    backbone: str
    image_size: int
    confidence: float
    check: Mapping[str, float]
    figures: Mapping[str, bytes]
    model: str = "frozen"
    models: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    sections: Mapping[str, Any] = field(default_factory=dict)


def render_report(content: ReportContent) -> str:
    """Write the report as HTML; names from the data are escaped."""
    return render_page(
        "report.html",
        content=content,
        metric_titles=METRIC_TITLES,
        model_titles=MODEL_TITLES,
        answers=answer_questions(content.sections),
        sizes=content.splits["split"].value_counts(),
        class_count=content.splits["label"].nunique(),
        measured_splits=[name for name in ("test", "dev", "train_dev") if name in content.metrics],
        uneven=content.split_summary.loc[content.split_summary["deviation"].abs().idxmax()],
    )


def render_page(template: str, **values: Any) -> str:
    """Fill a template of this package, which may filter by png, thumbnail and percent."""
    environment = Environment(
        loader=PackageLoader("graft.figures"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["png"] = embed_png
    environment.filters["thumbnail"] = embed_thumbnail
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    return environment.get_template(template).render(**values)


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

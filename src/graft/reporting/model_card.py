"""The model card: what a classifier is, what it can do and what was not tried (Markdown)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from graft.reporting.report import METRIC_TITLES

# Longer tables are for a file; the card then shows the classes that do worst.
_MOST_CLASSES = 50


def render_model_card(facts: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Write the model card as Markdown; names from the data are escaped.

    The headings follow Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.

    Args:
        facts: ``champion_facts`` of the champion stage.
        versions: Of the libraries.
    """
    environment = Environment(
        loader=PackageLoader("graft.reporting"),
        autoescape=False,  # Markdown has an escape of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = escape_markdown
    environment.filters["interval"] = lambda figure: (
        f"{figure['value']:.3f} ({figure['low']:.3f} – {figure['high']:.3f})"
    )
    worst = sorted(facts["class_metrics"], key=lambda row: row["f1"])[:_MOST_CLASSES]
    return environment.get_template("model_card.md").render(
        facts=facts,
        versions=versions,
        metric_titles=METRIC_TITLES,
        rows=facts["class_metrics"] if len(facts["class_metrics"]) <= _MOST_CLASSES else worst,
        folder=f"data/06_models/{facts['name']}/champion",
    )


def escape_markdown(text: str) -> str:
    r"""Keep a name from being read as Markdown or HTML, or from breaking a table.

    Examples:
        >>> escape_markdown("a|b <i>_c_</i>")
        'a\\|b &lt;i&gt;\\_c\\_&lt;/i&gt;'
    """
    safe = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", " ".join(safe.split()))

"""The page as HTML, and who gets it."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from graft.classifier.answers import NOT_SURE, UNLIKE
from graft.serving.engine import Model
from graft.serving.service_settings import ServiceSettings

_PAGES = Environment(
    loader=PackageLoader("graft.serving"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


def wants_page(request: Request) -> bool:
    """Whether a browser shows the answer itself; programs that do not care get JSON."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and request.url.path in ("/", "/predict")


def render_page(settings: ServiceSettings, model: Model, **content: Any) -> str:
    """The page.

    Args:
        settings: Limits that it tells.
        model: Whose name and classes it tells.
        content: ``results`` of pictures that were sent, or the ``error`` of a request.
    """
    exported = model.exported
    values = {
        "results": None, "error": None, "name": exported.facts["name"], "digest": exported.digest,
        "class_names": exported.class_names, "settings": settings,
        "needs_token": settings.token is not None, "unlike": UNLIKE, "not_sure": NOT_SURE,
        "can_explain": model.explainer.can_explain,
        "megabytes": settings.picture_bytes // 2**20,
    }  # fmt: skip
    return _PAGES.get_template("page.html").render({**values, **content})

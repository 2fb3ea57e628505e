"""What ``/openapi.json`` says: the forms, answers and refusals, as they are sent."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from graft.serving.service_settings import ServiceSettings

_NEVER_SENT = "422"


class Refused(BaseModel):
    """A request, or a picture, that is not answered."""

    error: str = Field(description="Why, in one line.")


class ClassProbability(BaseModel):
    """A class and how probable it is."""

    name: str
    probability: float = Field(ge=0, le=1, description="Calibrated.")


class Answered(BaseModel):
    """What is said of a picture."""

    answer: str | None = Field(description="The class; null if there is no answer.")
    reason: str = Field(description="Why there is none; else empty.")
    distance: float | None = Field(description="From the pictures of training.")
    classes: list[ClassProbability] = Field(description="The most probable ones first.")


class Unusable(Refused):
    """A picture that cannot be used."""

    status: int = Field(description="What a request with this picture alone would get.")


class Predicted(BaseModel):
    """What is said of the pictures of a form, in their order."""

    model: str = Field(description="Digest of the classifier that answered.")
    name: str = Field(description="Name of the classifier.")
    pictures: list[Answered | Unusable]


class NearPicture(BaseModel):
    """A picture of train."""

    class_name: str
    distance: float
    jpeg: str = Field(description="Small, in base 64.")


class Explanation(BaseModel):
    """What speaks for the most probable class of a picture."""

    class_name: str
    heat: list[list[float]] | None = Field(
        description="How much of it, 0 to 1, row by row over the whole picture; null: not known."
    )
    nearest: list[NearPicture] = Field(description="The nearest ones first, if they are shown.")


class Explained(BaseModel):
    """What is said of the pictures of a form, in their order."""

    model: str = Field(description="Digest of the classifier that explains.")
    pictures: list[Explanation | Unusable]


class Server(BaseModel):
    """Metadata of the server."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the server answers."""

    live: bool


class Ready(BaseModel):
    """Whether the server takes requests."""

    ready: bool


class TensorMetadata(BaseModel):
    """An input or output; -1 stands for the number of pictures."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """Metadata of the model."""

    name: str
    versions: list[str] = Field(description="Digest of the classifier.")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, Any] = Field(description="class_names, in the order of probabilities.")


class ModelReady(Ready):
    """Whether the model takes requests."""

    name: str


class OutputTensor(BaseModel):
    """Calibrated probabilities of n pictures, row after row."""

    name: Literal["probabilities"]
    datatype: Literal["FP32"]
    shape: list[int] = Field(description="n, classes.")
    data: list[float]


class Inferred(BaseModel):
    """The answer to ``infer``."""

    model_name: str
    model_version: str = Field(description="Digest of the classifier that answered.")
    id: str | None = Field(default=None, description="As asked.")
    outputs: list[OutputTensor]


def describe_form(settings: ServiceSettings) -> dict[str, Any]:
    """The form of ``POST /predict`` and ``POST /explain``."""
    picture = {"type": "string", "contentMediaType": "image/*", "minLength": 1}
    properties = {
        "pictures": {
            "type": "array", "items": picture, "minItems": 1, "maxItems": settings.pictures,
        },
        "token": {"type": "string", "description": "Instead of the header Authorization."},
    }  # fmt: skip
    schema = {"type": "object", "required": ["pictures"], "properties": properties}
    return _describe_body("multipart/form-data", schema)


def describe_tensor(settings: ServiceSettings) -> dict[str, Any]:
    """The request of ``infer``."""
    tensor = {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"const": "pictures"},
            "datatype": {"const": "UINT8"},
            "shape": {
                "type": "array", "items": {"type": "integer", "minimum": 1},
                "minItems": 4, "maxItems": 4,
                "description": f"n (1 to {settings.pictures}), H, W, channels.",
            },
            "data": {
                "type": "array", "description": "Row after row, or in lists of lists.",
                "items": {"type": ["integer", "array"], "minimum": 0, "maximum": 255},
            },
        },
    }  # fmt: skip
    schema = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
        },
    }
    return _describe_body("application/json", schema)


def _describe_body(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def list_refusals(*statuses: int, with_page: bool = False) -> dict[int | str, dict[str, Any]]:
    """Refusals as FastAPI's routes take them.

    Args:
        statuses: Of HTTP.
        with_page: Whether whoever accepts HTML gets the reason on the page.
    """
    page: dict[str, Any] = {"content": {"text/html": {}}} if with_page else {}
    return {
        status: {"description": _REASONS[status], "model": Refused, **page} for status in statuses
    }


_REASONS = {
    400: "The request is damaged, or has no picture.",
    401: "The token is missing or wrong.",
    404: "There is no such model.",
    408: "The request came in too slowly.",
    413: "Too many bytes, pixels or pictures.",
    415: "No picture, a damaged one, or of a format that is not taken.",
    429: "Too many requests at once; see Retry-After.",
    503: "Nobody can decode a picture now; see Retry-After.",
    504: "Not answered in time; see Retry-After.",
}


def publish(app: FastAPI) -> None:
    """Let an application tell its interface, without a status of FastAPI that it never sends."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"].pop(_NEVER_SENT, None)
            for unused in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]

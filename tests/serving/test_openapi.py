"""The service keeps to the interface that it publishes: schemathesis asks it what it may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig

from helpers.exports import make_export, write_export
from helpers.services import serve

OPERATIONS = [
    "GET /", "POST /predict", "GET /metrics", "GET /v2", "GET /v2/health/live",
    "GET /v2/health/ready", "GET /v2/models/{name}", "GET /v2/models/{name}/ready",
    "POST /v2/models/{name}/infer",
]  # fmt: skip


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.Schema]:
    folder = write_export(tmp_path_factory.mktemp("x") / "onnx", make_export(["dark", "red"]))
    with serve(folder) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_asked_is_answered_as_published(schema, operation) -> None:
    method, path = operation.split()

    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate()

    ask()


def test_every_operation_is_asked(schema) -> None:
    published = {one.ok().label for one in schema.get_all_operations()}
    assert published == set(OPERATIONS)

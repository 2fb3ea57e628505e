"""The service keeps to the interface that it publishes: schemathesis asks all that it may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from helpers.exports import make_export, write_export
from helpers.services import serve

# That bytes are a picture, and as many as a shape says, no schema can tell; so what fits the schema
# may be refused all the same (positive_data_acceptance).
OPERATIONS = [
    "GET /", "POST /predict", "POST /explain", "GET /metrics", "GET /v2", "GET /v2/health/live",
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

    @settings(
        max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=schema[path][method].as_strategy(), is_known=st.booleans())
    def ask(case: schemathesis.Case, is_known: bool) -> None:
        if is_known and "name" in case.path_parameters:
            case.path_parameters["name"] = "colours"
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask()


def test_every_operation_is_asked(schema) -> None:
    published = {one.ok().label for one in schema.get_all_operations()}
    assert published == set(OPERATIONS)

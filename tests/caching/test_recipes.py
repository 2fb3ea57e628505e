"""Recipes: what counts as deciding an output, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from graft.caching import recipes
from graft.caching.ledger import Ledger
from graft.caching.plan import Plan
from graft.caching.recipes import describe_code, describe_parameters
from graft.datasets import AtomicDataset
from graft.fingerprints import BACKENDS
from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.parameters.pictures import DecodingParameters
from graft.parameters.training import TrainingParameters
from graft.pipelines.ingestion.parameters import IngestionParameters
from helpers.caching import forget_code

DECODING = DecodingParameters(
    image_size=8, max_pixels=10**6, seconds_per_picture=20, memory_mb=1536, workers=None
)
INGESTION = IngestionParameters(
    min_side=4, max_pixels=10**6, seconds_per_picture=20, memory_mb=1536,
    near_duplicate_radius=4, label_conflicts="drop", workers=None,
)  # fmt: skip
TRAINING = TrainingParameters(learning_rate=1e-3, batch_size=8, epochs=3, patience=3, seed=0)
NODE = Node(lambda parameters: parameters, "params:stage", "output", name="stage")


def describe(parameters: Any) -> tuple[dict, set[str]]:
    return describe_parameters(NODE, lambda _: parameters, lambda path: path.name)


@pytest.mark.parametrize(
    ("parameters", "changes", "counts"),
    [
        (DECODING, {"workers": 2}, False),
        (DECODING, {"memory_mb": 64, "seconds_per_picture": 1}, False),
        (DECODING, {"image_size": 9}, True),
        (DECODING, {"colour": "grey"}, True),
        (INGESTION, {"workers": 2}, False),
        (INGESTION, {"memory_mb": 64}, True),
        (INGESTION, {"seconds_per_picture": 1}, True),
        (TRAINING, {"batch_size": 9}, True),
    ],
)
def test_how_the_work_is_done_counts_only_where_it_may_change_an_output(
    parameters, changes, counts
) -> None:
    changed = parameters.model_copy(update=changes)
    assert (describe(changed) != describe(parameters)) == counts


@pytest.mark.parametrize("model", [DecodingParameters, IngestionParameters])
def test_mere_effort_is_the_name_of_a_parameter(model) -> None:
    assert model.not_fingerprinted <= set(model.model_fields)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the user's own on the Python path."""
    package = tmp_path / "own_code"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "helper.py").write_text("HALF = 0.5\n")
    (package / "rates.py").write_text(
        "from own_code.helper import HALF\n\n\ndef halve(epoch, rate):\n    return rate * HALF\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def describe_own_code(parameters: TrainingParameters) -> dict[str, str]:
    forget_code()
    _, modules = describe(parameters)
    return describe_code(NODE, {}, {}, modules)["code"]


@pytest.mark.parametrize(
    "parameters",
    [
        TRAINING.model_copy(update={"schedule": "own_code.rates.halve"}),
        TRAINING.model_copy(update={"callbacks": ({"class": "own_code.rates.halve"},)}),
        ScratchTrainingParameters(
            **TRAINING.model_dump(), network="own_code.rates.halve", activation="relu",
            initializer="he_normal", l1=0, l2=0,
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["rates.py", "helper.py"])
def test_code_that_a_parameter_names_counts_with_what_it_imports(own, file, parameters) -> None:
    before = describe_own_code(parameters)
    assert {"own_code.rates", "own_code.helper"} <= before.keys()
    path = own / file
    path.write_text(path.read_text().replace("rate * HALF", "rate / 3").replace("0.5", "0.4"))
    assert describe_own_code(parameters) != before


def test_names_of_this_project_and_of_libraries_are_no_code_of_the_user(own) -> None:
    assert TRAINING.list_code() == []
    assert describe(TRAINING.model_copy(update={"schedule": "math.sqrt"}))[1] == set()


def test_modules_that_a_catalog_entry_imports_count(own) -> None:
    dataset = AtomicDataset(
        filepath="model.keras",
        dataset={"type": "graft.datasets.KerasModelDataset", "imports": ["own_code.rates"]},
    )
    code = describe_code(NODE, {"model": dataset}, {})["code"]
    assert "own_code.helper" in code


def decode(decoding: DecodingParameters) -> str:
    return str(decoding.image_size)


def copy_parameters(decoding: dict[str, Any]) -> str:
    return str(decoding)


def test_a_node_that_only_copies_parameters_sees_them_as_their_stage_does(tmp_path) -> None:
    nodes = [
        Node(decode, "params:decoding", "pixels", name="decode"),
        Node(copy_parameters, "params:decoding", "card", name="copy_parameters"),
    ]
    validated, raw = DECODING, DECODING.model_dump()  # as Kedro gives them, with decode or without
    recipes_of = []
    for value in (validated, raw):
        catalog = DataCatalog({"params:decoding": MemoryDataset(value)})
        plan = Plan(Pipeline(nodes), catalog, Ledger(tmp_path))
        recipes_of.append(plan.verdicts["copy_parameters"].recipe["parameter"])
    assert recipes_of[0] == recipes_of[1]
    assert "decoding.workers" not in recipes_of[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_of_the_backends_the_one_at_work_counts_alone(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "get_backend", lambda: backend)
    _, versions = recipes._describe_module.__wrapped__("graft.training.fitting")
    assert {"keras", backend} <= versions.keys()
    assert not versions.keys() & (set(BACKENDS) - {backend})
    _, versions = recipes._describe_module.__wrapped__("graft.images.duplicates")
    assert not versions.keys() & {"keras", *BACKENDS}

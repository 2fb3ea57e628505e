"""The description of a backbone needs neither pictures nor pretrained weights."""

from __future__ import annotations

import logging
import shutil

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.errors import GraftError
from graft.parameters.base import BackboneParameters
from graft.pipelines.describe_backbone import create_pipeline
from graft.pipelines.describe_backbone.nodes import draw_backbone, tabulate_backbone

OUTPUTS = ["backbone_blocks", "backbone_layers", "backbone_summary", "backbone_graph"]
SMALL = BackboneParameters(name="small_cnn", weights="printed_letters", image_size=8, seed=0)


def test_the_pipeline_makes_tables_summary_and_drawing() -> None:
    pytest.importorskip("pydot")
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is no package of Python; this machine does not have it")
    catalog = DataCatalog(
        {"params:backbone": MemoryDataset(SMALL)} | {name: MemoryDataset() for name in OUTPUTS}
    )
    SequentialRunner().run(create_pipeline(), catalog)
    layers = catalog.load("backbone_layers")
    assert layers["parameters"].sum() == catalog.load("backbone_blocks")["parameters"].sum()
    assert layers.set_index("layer").loc["block2_conv1", "output"] == "4×4×64"
    assert set(layers["block"]) == {"block1", "block2", "block3"}
    graph = catalog.load("backbone_graph")
    assert graph.lstrip().startswith("<?xml")
    assert "block3_conv1" in graph
    assert "(None, 2, 2, 96)" in graph


def test_weights_that_are_not_here_make_no_difference() -> None:
    parameters = SMALL.model_copy(
        update={"name": "MobileNetV2", "image_size": 224, "weights": "nowhere.h5"}
    )
    blocks, _, summary = tabulate_backbone(parameters)
    assert blocks["parameters"].sum() == 2_257_984
    assert "block_16_project" in summary
    assert max(map(len, summary.splitlines())) <= 80


@pytest.mark.parametrize(("name", "size"), [("MobileNetV2", 224), ("ConvNeXtTiny", 224)])
def test_the_table_fits_into_80_columns(name: str, size: int, caplog) -> None:
    with caplog.at_level(logging.INFO):
        tabulate_backbone(SMALL.model_copy(update={"name": name, "image_size": size}))
    lines = [line for record in caplog.records for line in record.getMessage().splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) > 20


@pytest.mark.parametrize("program", ["Graphviz", "pydot"])
def test_a_missing_drawing_program_is_told_in_one_line(program: str, monkeypatch) -> None:
    module = "graft.pipelines.describe_backbone.nodes"
    if program == "Graphviz":
        monkeypatch.setattr(f"{module}.shutil.which", lambda _: None)
        monkeypatch.setattr(f"{module}.find_spec", lambda _: True)
    else:
        monkeypatch.setattr(f"{module}.find_spec", lambda _: None)
        monkeypatch.setattr(f"{module}.shutil.which", lambda _: "/usr/bin/dot")
    with pytest.raises(GraftError, match=f"the summary are made; not found: {program}$") as error:
        draw_backbone(SMALL, "")
    assert "\n" not in str(error.value)

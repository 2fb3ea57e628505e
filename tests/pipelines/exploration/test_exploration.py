"""Exploration: what is in the folder is told, and nothing in it stops the run."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from PIL import Image

from graft.errors import GraftError, PictureError
from graft.pipelines.exploration import create_pipeline
from graft.pipelines.exploration.findings import describe_shortcut, judge_all, log_findings
from graft.pipelines.exploration.nodes import (
    draw_contact_sheets,
    draw_sample,
    draw_suspects,
    find_shortcuts,
    order_by_hash,
    rank_outliers,
    read_conflicts,
    read_some,
    summarise_classes,
)
from graft.pipelines.exploration.parameters import ExplorationParameters
from graft.sources.source import ImageSource
from graft.text_values import TextKeepingConfigLoader
from helpers.exploration import make_index

CONF = Path(__file__).parents[3] / "conf"
PARAMETERS = ExplorationParameters(
    sample=1000,
    imbalance=10,
    shortcuts={"folds": 5, "confidence": 0.99, "matters": 0.2},
    outliers={"threshold": 5, "pictures": 4},
    contact_sheet={"classes": 2, "pictures": 3, "side": 8},
    max_pixels=10_000,
    seed=0,
)
DUPLICATES = pd.DataFrame(
    columns=["image_id", "label", "cluster", "kind", "same_as", "distance"], dtype="str"
)
CONFLICTS = DUPLICATES.assign(other_label=pd.Series(dtype="str"))


def encode(colour, size=(12, 12)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "png")
    return buffer.getvalue()


def make_source(index, broken=()):
    """Every picture is red on its left half and blue on its right; broken ones cannot be read."""

    def read(image_id):
        if image_id in broken:
            raise PictureError("cannot be read: gone")
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:, :4, 0] = pixels[:, 4:, 2] = 255
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "png")
        return {image_id: buffer.getvalue() for image_id in index["image_id"]}[image_id]

    return ImageSource(index, read)


READ = ["class_summary", "contact_sheets", "exploration_report"]


def explore(index, folder, duplicates=DUPLICATES, conflicts=CONFLICTS, source=None):
    """What the whole pipeline makes with the catalog of the project, in a folder of its own."""
    loader = TextKeepingConfigLoader(str(CONF), base_env="base", default_run_env="base")
    outputs = create_pipeline().all_outputs()
    entries = {name: entry for name, entry in loader["catalog"].items() if name in outputs}
    assert set(entries) == outputs
    catalog = DataCatalog.from_config(entries)
    inputs = {
        "image_index": index, "duplicates": duplicates, "label_conflicts": conflicts,
        "raw_images": source or make_source(index), "params:exploration": PARAMETERS,
    }  # fmt: skip
    for name, value in inputs.items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    with contextlib.chdir(folder):
        SequentialRunner().run(create_pipeline(), catalog)
        return {name: catalog.load(name) for name in READ}


def test_a_planted_shortcut_is_the_verdict_of_the_page(tmp_path, caplog):
    caplog.set_level(logging.INFO, "graft")
    page = explore(make_index(["cat", "dog"] * 60, brighter="dog"), tmp_path)["exploration_report"]
    assert "<b>2 things</b> could fool a classifier" in page
    assert "brightness alone names the class 9" in page
    assert caplog.messages[0].startswith("Shortcut     ")
    assert "(chance 50 %)" in caplog.messages[0]
    assert all(len(line) <= 80 for line in caplog.messages)


def test_without_anything_strange_the_page_says_so(tmp_path, caplog):
    caplog.set_level(logging.INFO, "graft")
    found = explore(make_index(["cat", "dog"] * 60), tmp_path)
    assert "nothing was found that would fool" in found["exploration_report"]
    assert 3 <= len(caplog.messages) <= 5


# Classes whose names look like a number and like a gap; two of their pictures are the same.
ODD = make_index(["0012", "NA", "0012"] * 10)
ODD_CONFLICTS = pd.DataFrame(
    {
        "image_id": ODD["image_id"][:2],
        "label": ["0012", "NA"],
        "cluster": 0,
        "kind": "same pixels",
        "same_as": ODD["image_id"][:2].to_numpy()[::-1],
        "distance": 0,
        "other_label": ["NA", "0012"],
    }
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """What the pipeline makes of them."""
    duplicates = ODD_CONFLICTS.drop(columns="other_label").tail(1)
    return explore(ODD, tmp_path_factory.mktemp("odd"), duplicates, ODD_CONFLICTS)


def test_names_that_look_like_numbers_or_gaps_stay_text(odd):
    assert odd["class_summary"]["label"].tolist() == ["0012", "NA"]
    assert ">0012<" in odd["exploration_report"]
    assert list(odd["contact_sheets"]) == ["0000_0012.svg", "0001_NA.svg"]


@pytest.mark.parametrize(
    "labels",
    [["cat"], [f"class {number}" for number in range(12)], [None] * 4],
    ids=["one picture", "single pictures", "unlabelled"],
)
def test_any_folder_can_be_explored(labels, tmp_path):
    page = explore(make_index(labels), tmp_path)["exploration_report"]
    assert "not tested: fewer than two classes have enough pictures" in page


def test_copies_and_conflicts_are_counted_and_shown(odd):
    page = odd["exploration_report"]
    assert "pictures with a copy or look-alike of another class: 2" in page
    assert "1 × same pixels" in page
    panels = read_conflicts(make_source(ODD), ODD, ODD_CONFLICTS, PARAMETERS)
    assert [panel.caption for panel in panels] == [("00000.jpg", "0012"), ("00001.jpg", "NA")]


def test_a_pair_of_a_third_picture_is_not_lost():
    index = make_index(["cat", "dog", "dog"])
    conflicts = pd.DataFrame(
        {"image_id": index["image_id"], "same_as": index["image_id"].iloc[[1, 0, 0]].to_numpy()}
    )
    panels = read_conflicts(make_source(index), index, conflicts, PARAMETERS)
    shown = [panel.caption[0] for panel in panels]
    assert shown == ["00000.jpg", "00001.jpg", "00002.jpg", "00000.jpg"]


def test_quarantined_pictures_are_left_out():
    index = make_index(["cat", "dog"] * 10)
    index.loc[3, ["status", "width", "brightness", "cluster"]] = ["quarantined", None, None, None]
    assert summarise_classes(index).set_index("label")["pictures"].to_dict() == {
        "cat": 10,
        "dog": 9,
    }
    assert (find_shortcuts(index, PARAMETERS)["pictures"] == 19).all()
    assert rank_outliers(index.assign(status="quarantined"), PARAMETERS).empty


def test_the_summary_has_the_largest_class_first_with_its_medians():
    index = make_index(["cat", "dog", "dog", None]).assign(width=[10, 20, 40, 5])
    summary = summarise_classes(index)
    assert summary["label"].tolist() == ["dog", "(no label)", "cat"]
    assert summary["share"].tolist() == [0.5, 0.25, 0.25]
    assert summary["width"].tolist() == [30, 5, 10]


def test_outliers_are_ranked_with_their_names():
    index = make_index(["cat"] * 100)
    index.loc[42, "brightness"] = 255 * 3
    table = rank_outliers(index, PARAMETERS)
    assert list(table) == ["image_id", "label", "property", "value", "typical", "score"]
    assert table.iloc[0].tolist()[:3] == ["00042.jpg", "cat", "brightness"]


def test_pictures_that_are_gone_leave_an_empty_panel():
    index = make_index(["cat"] * 3)
    source = make_source(index.head(2), broken=["00001.jpg"])
    reasons = {
        panel.caption[0]: (panel.reason, panel.pixels is None)
        for panel in read_some(source, index, PARAMETERS)
    }
    assert reasons == {
        "00000.jpg": ("", False),
        "00001.jpg": ("cannot be read: gone", True),
        "00002.jpg": ("no longer in the source", True),
    }
    outliers = rank_outliers(index, PARAMETERS).reindex(columns=["image_id", "label"])
    assert len(draw_suspects(source, index, outliers, CONFLICTS, PARAMETERS)) == 2


def test_a_picture_that_is_damaged_leaves_an_empty_panel():
    index = make_index(["cat"])
    source = ImageSource(index, lambda image_id: encode("red")[:40])
    (panel,) = read_some(source, index, PARAMETERS)
    assert panel.pixels is None
    assert panel.reason


def test_the_part_of_a_picture_is_shown_that_the_record_is_about():
    index = make_index(["cat"], crop=pd.Series(["4,0,8,8"], dtype="str"))
    (panel,) = read_some(make_source(index), index, PARAMETERS)
    assert (panel.pixels == [0, 0, 255]).all()


def test_the_largest_classes_have_a_contact_sheet_of_a_few_pictures():
    index = make_index(["cat"] * 4 + ["dog/wolf"] * 3 + ["owl"])
    summary = summarise_classes(index)
    sheets = draw_contact_sheets(make_source(index), index, summary, PARAMETERS)
    assert list(sheets) == ["0000_cat.svg", "0001_dog_wolf.svg"]
    assert "dog/wolf: 3 of 3 pictures" in sheets["0001_dog_wolf.svg"].decode()
    assert sheets == draw_contact_sheets(make_source(index), index, summary, PARAMETERS)
    assert len(read_some(make_source(index), index, PARAMETERS)) == 3


def test_the_order_of_pictures_does_not_change_when_others_are_added():
    names = make_index(["cat"] * 50)["image_id"]
    fewer = names[::2].reset_index(drop=True)
    everything = names.iloc[order_by_hash(names, seed=1)]
    assert (
        everything[everything.isin(fewer)].tolist()
        == fewer.iloc[order_by_hash(fewer, seed=1)].tolist()
    )
    assert order_by_hash(names, seed=1).tolist() != order_by_hash(names, seed=2).tolist()


def test_a_sample_is_a_part_of_the_table_in_its_order():
    table = pd.DataFrame({"n": range(100)})
    sample = draw_sample(table, 10, seed=3)
    assert len(sample) == 10
    assert sample["n"].is_monotonic_increasing
    assert sample.equals(draw_sample(table, 10, seed=3))
    assert draw_sample(table, 100, seed=3) is table


def judge(index, **tables):
    empty = {"duplicates": DUPLICATES, "label_conflicts": CONFLICTS}
    return judge_all(
        class_summary=summarise_classes(index),
        outliers=rank_outliers(index, PARAMETERS),
        shortcuts=find_shortcuts(index, PARAMETERS),
        parameters=PARAMETERS,
        **empty | tables,
    )


def test_warnings_come_first():
    labels = ["a" * 50] * 200 + ["b" * 50] * 30 + ["c"]
    findings = judge(make_index(labels, brighter="b" * 50))
    warnings = [finding.is_warning for finding in findings]
    assert warnings == sorted(warnings, reverse=True)
    topics = {finding.topic for finding in findings if finding.is_warning}
    assert topics == {"Shortcut", "Imbalance", "Classes"}


def test_any_finding_fits_into_a_line(caplog):
    caplog.set_level(logging.INFO, "graft")
    many = {"image_id": [str(n) for n in range(300)], "cluster": range(300)}
    findings = judge(
        make_index(["a" * 50] * 200 + ["b" * 50] * 5 + ["c"]),
        duplicates=pd.DataFrame(many), label_conflicts=pd.DataFrame(many),
    )  # fmt: skip
    log_findings(findings)
    assert max(map(len, caplog.messages)) <= 80


@pytest.mark.parametrize(
    ("name", "value", "chance", "sentence"),
    [
        ("bytes", 0.834, 1 / 12, "bytes alone names the class 83 % of the time (chance 8.3 %)"),
        ("all together", 0.6, 0.3, "all properties name the class 60 % of the time (chance 30 %)"),
        ("width", 1.0, 1 / 3000, "width alone names the class 100 % of the time (chance 0.03 %)"),
    ],
)  # fmt: skip
def test_a_shortcut_is_told_in_one_line(name, value, chance, sentence):
    row = {"property": name, "balanced_accuracy": value, "chance": chance}
    assert describe_shortcut(row) == sentence


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"sample": 5}, "sample"), ({"shortcut": {}}, "did you mean 'shortcuts'"),
     ({"shortcuts": {"folds": 1, "confidence": 0.9, "matters": 0.2}}, "shortcuts.folds")],
)  # fmt: skip
def test_wrong_parameters_are_refused_by_name(changes, named):
    with pytest.raises(GraftError, match=named):
        ExplorationParameters.model_validate(PARAMETERS.model_dump() | changes)

"""Freshness: a node runs again exactly when something that decides its outputs has changed."""

from __future__ import annotations

import logging
import os

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import ThreadRunner

from graft.caching import FreshCatalog
from graft.errors import GraftError
from helpers.caching import CODE, OUTPUTS

ALL = list(OUTPUTS)


@pytest.fixture
def plan_text(caplog):
    def run(tiny, **options):
        caplog.clear()
        with caplog.at_level(logging.INFO, "graft"):
            ran = tiny.run(**options)
        return ran, "\n".join(record.getMessage() for record in caplog.records)

    return run


def test_the_first_run_makes_all_and_the_second_nothing(tiny):
    assert tiny.run() == ALL
    assert tiny.run() == []


def test_a_changed_parameter_makes_its_node_again_and_what_follows(tiny, plan_text):
    tiny.run()
    tiny.parameters["bias"] = 5
    ran, text = plan_text(tiny)
    assert ran == ["sum", "names", "report"]
    assert "count               fresh" in text
    assert "total               stale  parameter bias 1 → 5" in text
    assert "report              stale  follows total" in text
    assert tiny.run() == []


def test_a_new_picture_is_counted(tiny, plan_text):
    tiny.run()
    (tiny.pictures / "cat" / "1.png").write_bytes(b"another")
    (tiny.pictures / "cat" / "2.png").write_bytes(b"one more")
    (tiny.pictures / "dog" / "0.png").unlink()
    (tiny.pictures / "dog" / "9.png").write_bytes(b"a dog")
    ran, text = plan_text(tiny)
    assert ran == ALL
    assert "3 new pictures, 1 gone" in text


def test_a_renamed_picture_is_told_as_such(tiny, plan_text):
    tiny.run()
    (tiny.pictures / "cat" / "0.png").rename(tiny.pictures / "cat" / "7.png")
    ran, text = plan_text(tiny)
    assert ran == ALL
    assert "1 renamed picture" in text


def test_a_touched_picture_changes_nothing(tiny):
    tiny.run()
    os.utime(tiny.pictures / "cat" / "0.png", (1, 1))
    assert tiny.run() == []


def test_a_picture_altered_with_size_and_time_restored_is_noticed(tiny):
    tiny.run()
    tiny.run()  # Hashes of files that are old enough are kept.
    picture = tiny.pictures / "cat" / "0.png"
    facts = picture.stat()
    picture.write_bytes(b"tac")
    os.utime(picture, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert "sizes" in tiny.run()


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_altered_output_is_made_again(tiny, plan_text, name):
    tiny.run()
    before = tiny.read()
    facts = tiny.file(name).stat()
    text = tiny.file(name).read_text()
    tiny.file(name).write_text("9" * len(text))
    os.utime(tiny.file(name), ns=(facts.st_atime_ns, facts.st_mtime_ns))
    ran, told = plan_text(tiny)
    assert name in ran
    assert f"{name}.json was cut short or altered" in told
    assert tiny.read() == before


def test_a_missing_output_is_made_again(tiny, plan_text):
    tiny.run()
    tiny.file("names").unlink()
    ran, text = plan_text(tiny)
    assert "names" in ran
    assert "names.json is gone" in text


def test_changed_code_makes_again_what_reaches_it(tiny, plan_text):
    tiny.run()
    tiny.write_code("sums", CODE["sums"].replace("+ 0", "+ 100"))
    ran, text = plan_text(tiny)
    assert "report" in ran
    assert f"sums.py of {tiny.package} changed" in text
    assert tiny.read()["sum"] == 2 * 6 + 1 + 100


def test_comments_layout_and_docstrings_change_nothing(tiny):
    tiny.run()
    text = CODE["nodes"].replace('"""Count bytes."""', '"""Count the bytes."""  # of each')
    tiny.write_code("nodes", text.replace("\n\n\n", "\n\n\n\n"))
    assert tiny.run() == []


def test_a_version_of_a_library_counts(tiny, plan_text, monkeypatch):
    tiny.run()
    real = __import__("graft.fingerprints", fromlist=["version"]).version
    monkeypatch.setattr(
        "graft.fingerprints.version", lambda name: "99.0" if name == "pandas" else real(name)
    )
    ran, text = plan_text(tiny)
    assert ran
    assert f"pandas {real('pandas')} → 99.0" in text


def test_a_changed_catalog_entry_counts(tiny, plan_text, monkeypatch):
    tiny.run()
    make = type(tiny).make_catalog

    def with_indent(self, data):
        catalog = make(self, data)
        config = catalog.to_config()[0]
        config["sum"]["dataset"]["save_args"] = {"indent": 2}
        changed = type(catalog).from_config(config)
        for name in self.parameters:
            changed[f"params:{name}"] = catalog[f"params:{name}"]
        return changed

    monkeypatch.setattr(type(tiny), "make_catalog", with_indent)
    ran, text = plan_text(tiny)
    assert ran == ["sum", "names", "report"]
    assert "catalog entry sum changed" in text


def test_an_entry_by_a_factory_counts_as_one_of_its_own_does(tiny, plan_text, monkeypatch):
    make, options = type(tiny).make_catalog, {}

    def with_factory(self, data):
        config = make(self, data).to_config()[0]
        factory = {**config.pop("sizes"), "filepath": str(self.file("{output}s", data))}
        factory["dataset"] = {**factory["dataset"], "save_args": dict(options)}
        del config["names"]
        catalog = FreshCatalog.from_config({**config, "{output}s": factory})
        for name, value in self.parameters.items():
            catalog[f"params:{name}"] = MemoryDataset(value)
        return catalog

    monkeypatch.setattr(type(tiny), "make_catalog", with_factory)
    assert tiny.run() == ALL
    assert tiny.run() == []
    options["indent"] = 2
    ran, text = plan_text(tiny)
    assert ran == ALL
    assert "catalog entry sizes changed" in text


def test_force_makes_all_again(tiny, plan_text):
    tiny.run()
    ran, text = plan_text(tiny, force=True)
    assert ran == ALL
    assert "made again as asked" in text


def test_forced_what_only_saves_work_is_forgotten(tiny, monkeypatch):
    from graft.datasets import PreviousDataset

    forgotten = []
    monkeypatch.setattr(
        PreviousDataset, "forget", lambda self: forgotten.append(self.filepath.name)
    )
    tiny.write_code("pipeline", CODE["pipeline"].replace('["sizes",', '["sizes", "previous_sum",'))
    tiny.write_code(
        "nodes", CODE["nodes"].replace("sizes: dict, bias", "sizes: dict, previous, bias")
    )
    tiny.run()
    assert forgotten == []
    assert tiny.run() == []
    tiny.run(force=True)
    assert forgotten == ["sum.json"]


def test_an_early_result_that_comes_out_the_same_leaves_later_ones_fresh(tiny):
    tiny.run()
    tiny.write_code("nodes", CODE["nodes"].replace("len(raw", "0 + len(raw"))
    tiny.run(node_names=["count"])
    tiny.write_code("nodes", CODE["nodes"])
    tiny.run(node_names=["count"])
    assert tiny.run() == []


def test_a_stale_input_from_outside_the_selection_is_refused(tiny):
    tiny.run()
    tiny.parameters["scale"] = 3
    with pytest.raises(GraftError, match=r"sizes is stale .*scale 2 → 3.*; got 1"):
        tiny.run(node_names=["total"])
    assert tiny.run()[0] == "sizes"


def test_forced_it_is_taken_with_a_warning_and_mended_by_the_next_run(tiny, plan_text):
    tiny.run()
    tiny.parameters["scale"] = 3
    ran, text = plan_text(tiny, node_names=["total"], force=True)
    assert ran == ["sum", "names"]
    assert "Stale input  sizes is stale" in text
    tiny.run()
    assert tiny.read()["sum"] == 3 * 6 + 1


def test_an_input_that_was_never_made_is_told(tiny):
    with pytest.raises(GraftError, match="sizes was never made"):
        tiny.run(node_names=["total"])


def test_threads_may_run_it(tiny):
    assert sorted(tiny.run(runner=ThreadRunner())) == sorted(ALL)
    assert tiny.run(runner=ThreadRunner()) == []


def test_processes_may_not(tiny):
    from graft.caching import CachingHook

    with pytest.raises(GraftError, match=r"--runner=ThreadRunner; got ParallelRunner$"):
        CachingHook(lambda selected, _: selected).before_pipeline_run(
            {"only_missing_outputs": True, "runner": "<kedro.runner.ParallelRunner object at 1>"},
            tiny.import_pipeline(),
            DataCatalog({}),
        )


def test_an_output_without_a_recipe_is_not_trusted(tiny, plan_text):
    tiny.run()
    (tiny.file("sum").parent / ".sum.json.recipe.json").unlink()
    ran, text = plan_text(tiny)
    assert ran[:2] == ["sum", "names"]
    assert "nobody wrote down how sum.json was made" in text


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"recipe": {}, "content": "x"}'])
def test_a_damaged_recipe_is_not_trusted(tiny, damage):
    tiny.run()
    (tiny.file("report").parent / ".report.json.recipe.json").write_text(damage)
    assert tiny.run() == ["report"]


FUTURE = (4e9, 4e9)
PAST = (1, 1)


@pytest.mark.parametrize("then", [FUTURE, PAST])
@pytest.mark.parametrize("now", [FUTURE, PAST])
def test_whatever_the_clock_says_a_picture_that_changed_is_noticed(tiny, then, now):
    picture = tiny.pictures / "cat" / "0.png"
    os.utime(picture, then)
    tiny.run()
    assert tiny.run() == []
    picture.write_bytes(b"tac")
    os.utime(picture, now)
    assert "sizes" in tiny.run()
    picture.write_bytes(b"longer")
    os.utime(picture, now)
    assert "sizes" in tiny.run()
    assert tiny.read()["sizes"] == {"cat/0.png": 12, "dog/0.png": 6}


@pytest.mark.parametrize("seconds", [-1e9, 0, 1e9])
def test_a_clock_that_is_set_costs_at_most_reading_files_again(tiny, monkeypatch, seconds):
    from graft import file_hashes

    real = file_hashes.time.time_ns
    tiny.run()
    monkeypatch.setattr(file_hashes.time, "time_ns", lambda: real() + int(seconds * 1e9))
    assert tiny.run() == []
    (tiny.pictures / "dog" / "0.png").write_bytes(b"god")
    (tiny.file("report")).write_text("7" * tiny.file("report").stat().st_size)
    assert tiny.run() == ALL
    monkeypatch.setattr(file_hashes.time, "time_ns", real)
    assert tiny.run() == []


def test_times_of_outputs_in_the_future_change_nothing(tiny):
    tiny.run()
    for name in OUTPUTS:
        os.utime(tiny.file(name), (4e9, 4e9))
    assert tiny.run() == []
